"""S6: whichever way a file could come to be loaded, a program in it is never run.

Every way gets a canary: a file that writes another one as soon as anybody unpickles it. Where the
name has to be that of a safe format, it has that name.
"""

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from generation import weights
from generation.catalogue import entry_named
from generation.converting import rewrite, target_of
from generation.errors import GenerationError
from generation.executor.models import ModelCache
from generation.pipelines.base import EngineConfig
from generation.pipelines.safety import SafetyPipeline
from generation.pipelines.vgg import load_vgg19
from generation.pulling import pull
from generation.registry import PIPELINES
from generation.request import Control, ImageRequest, Like, Pixels
from generation.training.course import read_state
from generation.training.digit_data import digit_data
from generation.upkeep import add
from tests.generation.checkpoints import (
    real,
    save_control_net,
    save_img2img,
    save_ip_adapter,
    save_lora,
)
from tests.generation.classifiers import plain_picture, save_classifier
from tests.generation.hub import Hub, serving
from tests.generation.single_files import sd_tensors, write_single

# Diffusers hands tensors to numpy in a way that numpy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

WEIGHTS = "diffusion_pytorch_model"
PICTURE = Pixels(width=16, height=16, data=bytes(16 * 16 * 3))


class Canary:
    """An object whose pickle writes a file when it is read."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return _sing, (str(self._marker),)


def _sing(marker: str) -> object:
    Path(marker).touch()
    return torch.zeros(1)


@dataclass(frozen=True, kw_only=True)
class Mine:
    """A place with whole files of every sort, of which a way spoils one, and the canaries.

    Args:
        folder: the models folder.
        bare, archive: canaries, as Python pickles and as torch saves.
    """

    folder: Path
    bare: bytes
    archive: bytes

    @property
    def parts(self) -> dict[str, Any]:
        """The checkpoint's components."""
        loaded = real.StableDiffusionImg2ImgPipeline.from_pretrained(
            self.folder / "plain", local_files_only=True
        )
        return dict(loaded.components)

    def lay(self, path: str, *, instead: str | None = None, archive: bool = False) -> Path:
        """Put a canary at a path, and take another file away."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(self.archive if archive else self.bare)
        if instead is not None:
            (self.folder / instead).unlink()
        return place

    def load(self, name: str = "plain", **wishes: Any) -> None:  # noqa: ANN401 - what a request has
        """Have a model loaded, and a picture begun, as the engine does."""
        config = EngineConfig(device="cpu", models_dir=self.folder)
        pipeline = ModelCache(PIPELINES, config=config, count=lambda **_: None).load(
            ("remix", name)
        )
        request = ImageRequest(job_id="s6", pipeline="remix", image=PICTURE, **wishes)
        pipeline.fetch(request)
        row = pipeline.admit(request)
        pipeline.advance([row])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a checkpoint, and with all that goes beside one."""
    folder = tmp_path_factory.mktemp("whole")
    plain = save_img2img(folder / "plain")
    save_lora(folder / "loras/ink.safetensors", base=plain)
    save_control_net(folder / "controls/edges/small", base=plain)
    save_ip_adapter(folder / "ip_adapters/small", base=plain)
    black, white = (plain_picture(*[level] * 3) for level in (0, 255))
    save_classifier(folder / "classifier", safe=black, unsafe=white)
    return folder


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "it-sang"


@pytest.fixture
def mine(whole: Path, tmp_path: Path, marker: Path) -> Mine:
    folder = Path(shutil.copytree(whole, tmp_path / "models"))
    torch.save({"state_dict": {"x": Canary(marker)}}, tmp_path / "canary.pt")
    bare = pickle.dumps({"x": Canary(marker)}, protocol=2)
    return Mine(folder=folder, bare=bare, archive=(tmp_path / "canary.pt").read_bytes())


def all_pickled(mine: Mine) -> None:
    for path in (mine.folder / "plain").rglob("*.safetensors"):
        place = path.relative_to(mine.folder)
        mine.lay(str(place.with_suffix(".bin")), instead=str(place), archive=True)
    assert "pickle" in entry_named("plain", models_dir=mine.folder).unusable
    mine.load()


def one_part(mine: Mine) -> None:
    mine.lay(f"plain/unet/{WEIGHTS}.bin", instead=f"plain/unet/{WEIGHTS}.safetensors")
    mine.load()


def by_a_safe_name(mine: Mine) -> None:
    mine.lay(f"plain/vae/{WEIGHTS}.safetensors")
    mine.load()


def a_class_of_its_own(mine: Mine) -> None:
    """Lay code beside the index, which names it as its pipeline's, and as a part's."""
    code = f"from pathlib import Path\nPath({str(mine.folder.parent / 'it-sang')!r}).touch()\n"
    index = json.loads((mine.folder / "plain/model_index.json").read_text())
    for path in ("canary.py", "pipeline.py", "unet/canary.py"):
        (mine.folder / "plain" / path).write_text(code)
    for change in ({"_class_name": ["canary", "Canary"]}, {"unet": ["canary", "Canary"]}):
        (mine.folder / "plain/model_index.json").write_text(json.dumps({**index, **change}))
        with pytest.raises(GenerationError):
            mine.load()
    raise GenerationError("both were refused")


def a_single_pickle(mine: Mine) -> None:
    mine.lay("friend/friend.ckpt", archive=True)
    mine.load("friend")


def a_single_file(mine: Mine) -> None:
    mine.lay("friend/friend.safetensors")
    mine.load("friend")


def a_part_beside_a_single_file(mine: Mine) -> None:
    tensors = sd_tensors(mine.parts)
    reader = "cond_stage_model.transformer."
    unknown = {name.replace(reader, "cond_stage_model.x."): it for name, it in tensors.items()}
    write_single(mine.folder / "plain/all.safetensors", unknown)
    for part in ("unet", "vae", "text_encoder"):
        for path in (mine.folder / "plain" / part).glob("*.safetensors"):
            path.unlink()
    mine.lay("plain/text_encoder/pytorch_model.bin", archive=True)
    mine.load()


def a_lora(mine: Mine) -> None:
    mine.lay("loras/ink.safetensors")
    mine.load(prompt="<ink:1>")


def a_pickled_lora(mine: Mine) -> None:
    mine.lay("loras/ink.bin", instead="loras/ink.safetensors", archive=True)
    mine.load(prompt="<ink:1>")


def a_control_net(mine: Mine) -> None:
    mine.lay(f"controls/edges/small/{WEIGHTS}.safetensors")
    mine.load(control=Control(kind="edges"))


def a_pickled_control_net(mine: Mine) -> None:
    base = f"controls/edges/small/{WEIGHTS}"
    mine.lay(f"{base}.bin", instead=f"{base}.safetensors", archive=True)
    mine.load(control=Control(kind="edges"))


def an_ip_adapter(mine: Mine) -> None:
    (place,) = (mine.folder / "ip_adapters/small").glob("*.safetensors")
    mine.lay(str(place.with_suffix(".bin").relative_to(mine.folder)), archive=True)
    place.unlink()
    mine.load(like=Like(picture=PICTURE))


def an_image_encoder(mine: Mine) -> None:
    base = "ip_adapters/small/image_encoder"
    mine.lay(f"{base}/pytorch_model.bin", instead=f"{base}/model.safetensors", archive=True)
    mine.load(like=Like(picture=PICTURE))


def an_image_encoder_by_a_safe_name(mine: Mine) -> None:
    mine.lay("ip_adapters/small/image_encoder/model.safetensors")
    mine.load(like=Like(picture=PICTURE))


def a_classifier(mine: Mine) -> None:
    mine.lay("classifier/pytorch_model.bin", instead="classifier/model.safetensors", archive=True)
    looked_at(mine)


def a_classifier_by_a_safe_name(mine: Mine) -> None:
    mine.lay("classifier/model.safetensors")
    looked_at(mine)


def looked_at(mine: Mine) -> None:
    model = str(mine.folder / "classifier")
    SafetyPipeline.load(model=model, config=EngineConfig(device="cpu", models_dir=mine.folder))


def vgg19(mine: Mine) -> None:
    digest = hashlib.sha256(mine.archive).hexdigest()
    mine.lay(f"vgg19-{digest[:8]}.pth", archive=True)
    load_vgg19(models_dir=mine.folder, device=torch.device("cpu"))


def a_starter(mine: Mine) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "STARTER", mine.folder)
        mine.lay(f"plain/unet/{WEIGHTS}.bin", instead=f"plain/unet/{WEIGHTS}.safetensors")
        elsewhere = Mine(folder=mine.folder.parent / "empty", bare=b"", archive=b"")
        elsewhere.load()


def added(mine: Mine) -> None:
    add(mine.lay("../friend.ckpt", archive=True), models_dir=mine.folder)


def added_by_a_safe_name(mine: Mine) -> None:
    add(mine.lay("../friend.safetensors"), models_dir=mine.folder)


def added_in_a_folder(mine: Mine) -> None:
    base = f"plain/unet/{WEIGHTS}"
    mine.lay(f"{base}.bin", instead=f"{base}.safetensors", archive=True)
    add(mine.folder / "plain", models_dir=mine.folder, name="another")


def converted(mine: Mine) -> None:
    # This is all that the limited child does.
    place = mine.lay("../friend.ckpt", archive=True)
    rewrite(place, target_of(place))


def converted_from_a_bare_pickle(mine: Mine) -> None:
    place = mine.lay("../friend.pt")
    rewrite(place, target_of(place))


def pulled(mine: Mine) -> None:
    base = f"plain/unet/{WEIGHTS}"
    mine.lay(f"{base}.bin", instead=f"{base}.safetensors", archive=True)
    from_a_hub(mine)


def pulled_by_a_safe_name(mine: Mine) -> None:
    mine.lay(f"plain/unet/{WEIGHTS}.safetensors")
    from_a_hub(mine)
    mine.load("pulled")


def from_a_hub(mine: Mine) -> None:
    with serving(Hub(folder=mine.folder / "plain")) as hub:
        pull(hub.repository, models_dir=mine.folder, name="pulled", endpoint=hub.address)


def a_training(mine: Mine) -> None:
    read_state(mine.lay("../digits.work/state.pt", archive=True))


def a_training_by_a_bare_pickle(mine: Mine) -> None:
    read_state(mine.lay("../digits.work/state.pt"))


def digits_that_were_kept(mine: Mine) -> None:
    place = mine.lay("../digits.work/digits-40-1.npy")
    digit_data(None, kept=place.parent, count=40, seed=1)


WAYS: dict[Callable[[Mine], None], str] = {
    all_pickled: "a pickle; only safetensors are loaded",
    one_part: "could not be loaded",
    by_a_safe_name: "damaged weights",
    a_class_of_its_own: "both were refused",
    a_single_pickle: "there is no checkpoint 'friend'",
    a_single_file: "damaged weights",
    a_part_beside_a_single_file: r"pytorch_model\.bin, a pickle; remove it",
    a_lora: "the LoRA ink does not fit|the LoRA ink is damaged",
    a_pickled_lora: "there is no LoRA 'ink'",
    a_control_net: "damaged weights",
    a_pickled_control_net: "holds no weights",
    an_ip_adapter: "holds no weights",
    an_image_encoder: r"lacks image_encoder/model\.safetensors",
    an_image_encoder_by_a_safe_name: "does not fit plain, or is damaged",
    a_classifier: r"lacks model\.safetensors",
    a_classifier_by_a_safe_name: "damaged weights",
    vgg19: "holds more than weights",
    a_starter: "could not be loaded",
    added: "is a pickle, which may hold programs",
    added_by_a_safe_name: "cut off or damaged",
    added_in_a_folder: "a pickle; `models convert`",
    converted: "it holds more than weights",
    converted_from_a_bare_pickle: "more than weights|damaged",
    pulled: "as a pickle alone",
    pulled_by_a_safe_name: "damaged weights",
    a_training: "no training's state",
    a_training_by_a_bare_pickle: "no training's state",
    digits_that_were_kept: "is damaged",
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_s6_no_program_is_run_and_every_refusal_is_a_sentence(
    mine: Mine, marker: Path, way: Callable[[Mine], None]
) -> None:
    with pytest.raises(GenerationError, match=WAYS[way]) as refusal:
        way(mine)
    assert "Traceback" not in str(refusal.value)
    assert not marker.exists()


def test_the_canary_sings_when_it_is_unpickled(mine: Mine, marker: Path) -> None:
    for load in (pickle.loads, lambda data: torch.load(mine.folder / "x.pt", weights_only=False)):
        mine.lay("x.pt", archive=True)
        load(mine.bare)
        assert marker.exists()
        marker.unlink()


def test_whatever_is_whole_among_them_is_loaded(mine: Mine) -> None:
    like, control = Like(picture=PICTURE), Control(kind="edges")
    mine.load(prompt="<ink:1>", like=like, control=control)
    assert load_file(mine.folder / "loras/ink.safetensors")
    looked_at(mine)
