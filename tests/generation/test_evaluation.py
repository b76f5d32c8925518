"""`evaluate`: from a folder of pictures to figures, a page and a picture."""

import hashlib
import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file

from generation.errors import ModelUnavailableError
from generation.evaluation.__main__ import main
from generation.evaluation.data import data_of
from generation.evaluation.features import Seen, chosen, seers
from generation.evaluation.figures import Found, Row, of_bounds, of_costs, of_pairs, of_sets
from generation.evaluation.report import amount, bars, page, picture
from generation.evaluation.sheets import EACH, WHOLE, Shown
from generation.imaging import to_tensor
from generation.pipelines.gan import DigitsGenerator
from generation.pipelines.picture_vae import PictureVae, picture_elbo_loss
from generation.pipelines.vae import DigitsVae, elbo_loss
from generation.postprocess.metrics import fid, luminance, ssim
from generation.request import Pixels
from generation.trained import load_trained
from generation.training.cards import Trained, write_model
from generation.training.digits import digits
from tests.browser import PHONE, launched
from tests.generation.checkpoints import save_img2img
from tests.photographs import photograph

COUNT = 24
PIXELS = 28 * 28


def trained(network: str) -> Trained:
    blank: dict[str, Any] = dict.fromkeys(("title", "about", "origin", "limits"), "")
    return Trained(network=network, arguments={}, recipe={}, history=[], **blank)


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with digits in MNIST's format."""
    folder = tmp_path_factory.mktemp("mnist")
    pictures, _ = digits(COUNT, seed=5)
    head = struct.pack(">4I", 0x803, COUNT, 28, 28)
    (folder / "t10k-images-idx3-ubyte").write_bytes(head + pictures.tobytes())
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a VAE and a GAN for digits as trainings write them."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    vae, gan = DigitsVae(), DigitsGenerator()
    write_model(folder / "vae", vae, trained=trained("generation.pipelines.vae:DigitsVae"))
    colours = PictureVae(latents=4, widths=(8, 8, 16))
    told = {"latents": 4, "widths": colours.widths}
    of_colours = trained("generation.pipelines.picture_vae:PictureVae")
    write_model(folder / "colours", colours, trained=replace(of_colours, arguments=told))
    write_model(folder / "gan", gan, trained=trained("generation.pipelines.gan:DigitsGenerator"))
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two photographs, a broken one and something else."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    photograph("coffee", max_side=64).save(folder / "a.png")
    photograph("rocket", max_side=64).save(folder / "more" / "b.jpg", quality=95)
    (folder / "c.webp").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("nothing")
    return folder


def run(*arguments: object) -> int:
    return main([*map(str, arguments), "--quiet"])


def figures_of(place: Path) -> dict[str, dict[str, Any]]:
    return {each["key"]: each for each in json.loads(place.read_text())["figures"]}


def noise(latents: int, *, first: int) -> torch.Tensor:
    """Return what each digit is made of, by a seed of its own."""
    seeds = (torch.Generator().manual_seed(first + number) for number in range(COUNT))
    return torch.cat([torch.randn(1, latents, generator=seed) for seed in seeds])


@pytest.mark.slow
def test_a_vaes_reconstructions_have_the_figures_of_a_calculation_by_hand(
    models: Path, mnist: Path, tmp_path: Path
) -> None:
    out = tmp_path / "vae.json"
    assert run(models / "vae", "--data", mnist, "--json", out, "--seed", 3) == 0
    found, told = figures_of(out), json.loads(out.read_text())
    vae = DigitsVae()
    vae.load_state_dict(load_file(models / "vae" / "model.safetensors"))
    pictures, _ = digits(COUNT, seed=5)
    batch = torch.from_numpy(pictures).float().div(255)[:, None]
    with torch.no_grad():
        posterior = vae.encode(batch)
        again = torch.sigmoid(vae.decode(posterior.mu)).mul(255).round().div(255)
        noise = [
            torch.randn(1, 20, generator=torch.Generator().manual_seed(3 + n)) for n in range(COUNT)
        ]
        bound = elbo_loss(vae.decode(posterior.sample(torch.cat(noise))), batch, posterior).item()
    assert found["mse"]["value"] == pytest.approx((batch - again).square().mean().item(), rel=1e-4)
    assert found["nats"]["value"] == pytest.approx(bound, rel=1e-4)
    parts = found["missed"]["value"] + found["beyond"]["value"]
    assert parts == pytest.approx(bound, rel=1e-5)
    assert found["bits"]["value"] == pytest.approx(bound / PIXELS / np.log(2), rel=1e-4)
    grey = np.repeat(pictures[0][..., None], 3, 2), np.repeat(again[0, 0].numpy()[..., None], 3, 2)
    alike = ssim(luminance(grey[0]), luminance(grey[1].astype(np.float32)))
    assert told["rows"][0]["ssim"] == pytest.approx(alike, abs=1e-4)
    assert told["device"] == "an engine on the CPU with 1 thread"
    assert found["memory_mb"]["value"] > 100
    # The first call is timed alone, and of the data's halves each is compared with the other.
    assert {each["count"] for each in found.values()} == {COUNT, COUNT - 1, COUNT // 2, 1}


@pytest.mark.slow
def test_a_vae_of_colours_repeats_the_middle_of_pictures(
    models: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "colours.json"
    assert run(models / "colours", "--data", photos, "--json", out, "--limit", 1) == 0
    [row] = json.loads(out.read_text())["rows"]
    vae = load_trained(models / "colours", PictureVae)
    with Image.open(photos / "a.png") as opened:
        assert opened.size == (64, 43)
        picture = to_tensor(opened.crop((0, 5, 64, 37)))
    with torch.no_grad():
        posterior = vae.encode(picture)
        rng = torch.Generator().manual_seed(1)
        z = posterior.sample(torch.randn(posterior.mu.shape, generator=rng))
        bound = picture_elbo_loss(vae.decode(z), picture, posterior, log_scale=vae.log_scale)
    assert row["nats"] == pytest.approx(bound.item(), rel=1e-4)
    assert row["bits"] == pytest.approx(bound.item() / (64 * 32 * 3) / np.log(2), rel=1e-4)


@pytest.mark.slow
def test_a_gans_samples_are_compared_with_the_data_as_sets(
    models: Path, mnist: Path, tmp_path: Path
) -> None:
    out, page_of = tmp_path / "gan.json", tmp_path / "gan.html"
    wish = ("--data", mnist, "--features", models / "vae", "--json", out, "--out", page_of)
    assert run(models / "gan", *wish) == 0
    found = figures_of(out)
    assert {"fid", "fid_of_halves", "precision", "recall", "diversity"} <= set(found)
    assert "device_ms" in found
    assert "ssim" not in found
    gan, vae = DigitsGenerator().eval(), DigitsVae()
    gan.load_state_dict(load_file(models / "gan" / "model.safetensors"))
    vae.load_state_dict(load_file(models / "vae" / "model.safetensors"))
    pictures, _ = digits(COUNT, seed=5)
    real = torch.from_numpy(pictures).float().div(255)[:, None]
    with torch.no_grad():
        made = gan(noise(100, first=1)).mul(255).round().div(255)
        wanted = fid(vae.encode(real).mu.numpy(), vae.encode(made).mu.numpy())
    assert found["fid"]["value"] == pytest.approx(wanted, rel=1e-2)
    assert page_of.read_text().count("A sample") == COUNT
    _whole_page(page_of.read_text())


@pytest.mark.slow
def test_a_checkpoint_runs_in_an_engine_with_words_that_a_page_does_not_take_for_its_own(
    photos: Path, tmp_path: Path
) -> None:
    save_img2img(tmp_path / "mine")
    out, figures = tmp_path / "a.html", tmp_path / "a.json"
    wish = ("--data", photos, "--prompt", "<b>fog</b>", "--steps", 2, "--strength", 1)
    assert run(tmp_path / "mine", *wish, "--out", out, "--json", figures) == 0
    rows = json.loads(figures.read_text())["rows"]
    assert [row["compared"] for row in rows] == ["whole", "whole"]
    _whole_page(out.read_text())
    assert "<b>fog</b>" not in out.read_text()


class _Page(HTMLParser):
    """Collects what a page loads, and which elements are open."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in ("meta", "img", "br", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag


def _whole_page(text: str) -> None:
    """Check that a page is closed, loads nothing, and knows light and dark."""
    parser = _Page()
    parser.feed(text)
    assert parser.open == []
    assert parser.loaded
    assert all(each.startswith("data:image/png;base64,") for each in parser.loaded)
    assert not re.search(r"https?://|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text


@pytest.mark.slow
def test_the_starter_is_evaluated_by_the_bots_own_command(tmp_path: Path) -> None:
    """One process becomes another, which starts the engine; as an operator would type it."""
    photograph("china", max_side=128).save(tmp_path / "china.png")
    out = tmp_path / "starter.png"
    done = subprocess.run(
        [sys.executable, "-m", "bot", "evaluate", "remix", "--data", tmp_path, "--prompt", "night",
         "--out", out, "--limit", "1"],
        capture_output=True, text=True, timeout=110, check=False,
        env={**os.environ, "ATELIER_DATA_DIR": str(tmp_path / "data"), "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Changed by the words “night”" in done.stdout
    assert "SSIM" in done.stdout
    with Image.open(out) as opened:
        assert opened.size[0] > 1000
        assert len(opened.convert("RGB").getcolors(1 << 24) or ()) > 500


@pytest.mark.slow
def test_a_style_repaints_in_an_engine_and_what_cannot_be_read_is_left_out(
    photos: Path, tmp_path: Path
) -> None:
    out, sheet = tmp_path / "style.json", tmp_path / "style.png"
    wish = ("--data", photos, "--preset", "wave", "--models-dir", tmp_path)
    assert run("collage", *wish, "--json", out, "--out", sheet) == 0
    told = json.loads(out.read_text())
    assert "in the manner of wave" in told["about"]
    assert [row["name"] for row in told["rows"]] == ["a.png", "more/b.jpg"]
    assert any("c.webp was left out" in note for note in told["notes"])
    found = figures_of(out)
    assert (found["ssim"]["count"], found["device_ms"]["count"]) == (2, 1)
    assert found["memory_mb"]["value"] > 100
    with Image.open(sheet) as opened:
        assert opened.width == 1120


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("remix", "--data", "nowhere"), "nowhere: there is no such folder"),
        (("remix", "--data", "empty"), "empty holds no pictures (.png, .jpg"),
        (("remix", "--data", "broken", "--prompt", "fog"), "no picture of broken can be read; a."),
        (("remix", "--data", "photos"), "give a --prompt; remix knows: "),
        (("nonesuch", "--data", "photos"), "there is no checkpoint 'nonesuch'"),
        (("./nonesuch", "--data", "photos"), "./nonesuch: there is no such folder"),
        (("collage", "--data", "photos"), "give --artwork FILE or --preset NAME; there are: "),
        (("collage", "--data", "photos", "--preset", "x"), "there is no preset 'x'"),
        (("collage", "--data", "photos", "--artwork", "broken/a.png"), "is no picture that can be"),
        (("adain", "--data", "photos", "--preset", "wave"), "adain needs "),
        (("./bent", "--data", "photos"), "bent holds a system, where a DigitsVae or Pic"),
        (("remix", "--data", "photos", "--out", "a.pdf"), "a report ends in .html or .png"),
        (("remix", "--data", "photos", "--out", "b/a.png"), "b: there is no such folder"),
        (("remix", "--data", "photos", "--strength", "2"), "strength must be between 0 and 1"),
        (("remix", "--data", "photos", "--prompt", "x", "--features", "y"), "no feature net 'y'"),
        (("remix", "--data", "photos", "--prompt", "x", "--features", "vgg19"), "needs vgg19-"),
    ],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_refused_with_a_sentence(
    arguments: tuple[str, ...],
    said: str,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "broken", "bent"):
        Path(name).mkdir()
    Path("broken/a.png").write_bytes(b"\x89PNG nothing")
    Path("bent/model.safetensors").write_bytes(b"nothing")
    Path("bent/config.json").write_text('{"network": "os:system"}')
    Path("photos").symlink_to(photos)
    assert run(*arguments, "--models-dir", tmp_path) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("atelier: ")
    assert "Traceback" not in error


def test_what_figures_need_more_pictures_is_left_out() -> None:
    one = Row(name="a", wall_ms=1.0, mse=0.01, psnr=20.0, ssim=0.5)
    assert [(each.key, each.error) for each in of_pairs([one])] == [
        ("mse", None), ("psnr", None), ("ssim", None),
    ]  # fmt: skip
    assert of_pairs([Row(name="a", wall_ms=1.0)]) == []
    assert of_bounds([one]) == []
    assert [each.key for each in of_costs([one], memory_bytes=None)] == ["wall_ms"]
    features = np.random.default_rng(0).normal(size=(30, 2))
    assert of_sets(features[:1], features[:1], net="x") == []
    assert [each.key for each in of_sets(features[:3], features[:3], net="x")] == ["fid"]
    assert len(of_sets(features, features, net="x")) == 4


def test_the_model_is_loaded_before_time_is_counted() -> None:
    rows = [Row(name=str(n), wall_ms=ms, device_ms=ms) for n, ms in enumerate((9e3, 20.0, 30.0))]
    found = {each.key: each for each in of_costs(rows, memory_bytes=2**21)}
    assert (found["wall_ms"].value, found["first_s"].value) == (25.0, 9.0)
    assert (found["memory_mb"].value, found["memory_mb"].count) == (2.0, 3)


def test_few_pictures_are_shown_all_and_of_many_both_ends() -> None:
    def shown(count: int) -> Shown:
        found = Shown()
        order = np.random.default_rng(1).permutation(count) / count
        grey = Pixels(width=16, height=16, data=bytes(768))
        for value in order:
            row = Row(name=f"{value:.4f}", wall_ms=1.0, ssim=float(value))
            found.add(row, start=grey, result=grey, paired=True)
        return found

    assert [(title, len(cells)) for title, cells in shown(WHOLE).groups] == [
        ("All pictures", WHOLE)
    ]
    found = shown(200)
    assert [cell.row.ssim for cell in found.least] == [0.0, 0.005, 0.01]
    assert [cell.row.ssim for cell in found.most] == [0.985, 0.99, 0.995]
    assert [len(cells) for _, cells in found.groups] == [EACH] * 3


def found_of(rows: list[Row]) -> Found:
    return Found(
        model="mine", about="about", data="data", when="now", device="here", rows=rows,
        figures=of_pairs(rows), notes=["a note " * 60],
    )  # fmt: skip


def test_a_report_holds_charts_where_there_are_enough_pictures() -> None:
    rows = [Row(name=str(n), wall_ms=1.0, mse=0.1, psnr=10.0, ssim=n / 50) for n in range(50)]
    chart = bars(rows, "ssim")
    assert chart is not None
    counts = chart["counts"]
    assert isinstance(counts, list)
    assert sum(counts) == 50
    assert bars(rows, "psnr") is None
    text = page(found_of(rows), Shown())
    assert text.count("<svg") == 1
    assert text.count("<rect") == 20
    assert picture(found_of(rows), Shown()).width == 1120


@pytest.mark.slow
async def test_no_figure_is_cut_on_a_phone() -> None:
    rows = [
        Row(name=str(n), wall_ms=1e5 + n, mse=0.001 + n / 1e6, psnr=20.0 + n, ssim=n / 50,
            nats=-48460.0 - n, missed=-50420.0 + n, beyond=1960.0, bits=0.181 + n / 1e5)
        for n in range(9)
    ]  # fmt: skip
    found = found_of(rows)
    found.figures += [*of_bounds(rows), *of_costs(rows, memory_bytes=10**9)]
    async with launched() as chromium:
        page_of = await chromium.new_page(viewport={"width": PHONE[0], "height": PHONE[1]})
        await page_of.set_content(page(found, Shown()))
        cut = """[...document.querySelectorAll('tbody tr')].filter(
            (row) => row.scrollWidth > row.clientWidth).map((row) => row.innerText)"""
        assert await page_of.evaluate(cut) == []
        assert await page_of.locator("tbody tr").count() == len(found.figures)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\u2013"),
        (float("inf"), "\u2013"),
        (0.0, "0"),
        (0.000331, "0.000331"),
        (0.41, "0.410"),
        (12.345, "12.3"),
        (3770.4, "3,770"),
        (-0.25, "-0.250"),
    ],
)
def test_numbers_have_three_digits_that_mean_something(value: float | None, text: str) -> None:
    assert amount(value) == text


def _saved(folder: Path, name: str, network: torch.nn.Module) -> Path:
    """Save a network as torchvision names its files, by the beginning of their SHA-256."""
    plain = folder / "plain.pth"
    torch.save(network.state_dict(), plain)
    digest = hashlib.sha256(plain.read_bytes()).hexdigest()
    return plain.rename(folder / f"{name}-{digest[:8]}.pth")


@pytest.mark.parametrize(
    ("name", "stem", "made", "count"),
    [
        ("inception", "inception_v3_google", torchvision.models.inception_v3, 2048),
        pytest.param(
            *("vgg19", "vgg19", torchvision.models.vgg19, 64 + 128 + 256 + 512),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_operators_network_sees_features_and_a_damaged_file_is_refused(
    name: str, stem: str, made: Callable[..., torch.nn.Module], count: int, tmp_path: Path
) -> None:
    own = chosen(None, models_dir=tmp_path)
    assert own is not None
    assert own.name == "encoder"
    with torch.device("meta"):
        shell = made(weights=None, init_weights=False)
    torch.manual_seed(0)
    network = shell.to_empty(device="cpu")
    for value in network.state_dict().values():
        value.copy_(torch.rand(value.shape) * 0.02 if value.is_floating_point() else value * 0)
    place = _saved(tmp_path, stem, network)
    net = chosen(None, models_dir=tmp_path)
    assert net is not None
    assert net.name == name
    seen = seers(net, models_dir=tmp_path)()
    grey = Pixels(width=20, height=30, data=bytes(1800))
    seen.add(grey)
    features = seen.features
    assert features.shape == (1, count)
    assert np.isfinite(features).all()
    place.write_bytes(place.read_bytes()[:-1])
    with pytest.raises(ModelUnavailableError, match="is damaged"):
        seers(net, models_dir=tmp_path)


def test_our_own_encoder_tells_a_manner_from_another() -> None:
    net = chosen("encoder", models_dir=Path("nowhere"))
    assert net is not None
    rng = np.random.default_rng(0)
    sides = {"rough": (0, 256), "mild": (96, 160)}
    found = {}
    for name, (low, high) in sides.items():
        seen = seers(net, models_dir=Path("nowhere"))()
        for _ in range(6):
            values = rng.integers(low, high, (32, 32, 3), np.uint8)
            seen.add(Pixels(width=32, height=32, data=values.tobytes()))
        found[name] = seen.features
    assert np.isfinite(found["rough"]).all()
    apart = np.linalg.norm(found["rough"].mean(0) - found["mild"].mean(0))
    assert apart > 5 * np.linalg.norm(found["rough"][:3].mean(0) - found["rough"][3:].mean(0))


@pytest.mark.slow
def test_the_painters_avatars_are_compared_with_data_through_an_engine(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "avatars.json"
    assert run("avatars", "--data", photos, "--json", out, "--models-dir", tmp_path) == 0
    found, told = figures_of(out), json.loads(out.read_text())
    assert told["about"].startswith("Samples of avatars, truncation 1, seeds from 1")
    assert {"fid", "diversity", "device_ms", "memory_mb"} <= set(found)
    assert "ssim" not in found


def test_features_are_looked_at_in_batches_and_come_out_in_order() -> None:
    sizes: list[int] = []

    def net(pictures: torch.Tensor) -> torch.Tensor:
        sizes.append(len(pictures))
        return pictures.mean(dim=(2, 3))

    seen = Seen(net, 8)
    for level in range(20):
        seen.add(Pixels(width=9, height=7, data=bytes([level] * 189)))
    np.testing.assert_allclose(seen.features[:, 0] * 255, np.arange(20), atol=1e-3)
    assert sizes == [16, 4]


def test_a_vae_as_feature_net_is_told_from_a_gan(models: Path) -> None:
    net = chosen("gan", models_dir=models)
    assert net is not None
    with pytest.raises(ModelUnavailableError, match="gan holds a DigitsGenerator, where a DigitsV"):
        seers(net, models_dir=models)


def test_a_folders_pictures_are_found_in_the_order_of_their_names(photos: Path) -> None:
    data = data_of(photos, limit=2)
    assert [place.name for place in data.places] == ["a.png", "c.webp", "b.jpg"]
    assert (data.found, data.count) == (3, 2)
