"""What goes beside checkpoints: ControlNets and IP-Adapters of the operator's; without torch.

What each is, and which checkpoints it fits, is told from its files' heads: a ControlNet by
diffusers' names or those of its authors, an IP-Adapter by its projections. What a ControlNet was
trained to follow no file tells; the folder that it lies in is named after it::

    controls/KIND/NAME.safetensors       ip_adapters/NAME/*.safetensors
    controls/KIND/NAME/*.safetensors     ip_adapters/NAME/image_encoder/
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from generation.errors import GenerationError, InvalidRequestError, ModelUnavailableError
from generation.families import UNET_ROWS
from generation.heads import Shapes, read_head
from generation.loras import FOLDER as LORAS
from generation.recognition import family_of, read_config
from generation.weights import checkpoint_folder

CONTROLS, IP_ADAPTERS, IMAGE_ENCODER = "controls", "ip_adapters", "image_encoder"
FOLDERS = frozenset({LORAS, CONTROLS, IP_ADAPTERS})
"""Of the operator's models folder, what holds no checkpoints."""

XL_WORDS = 2048
BASES = {
    768: "Stable Diffusion 1.x",
    1024: "Stable Diffusion 2.x",
    1280: "Stable Diffusion XL refiner",
    XL_WORDS: "Stable Diffusion XL",
}
"""The families, by how wide the words are that their denoisers read."""

# How a ControlNet begins, by diffusers' names and by its authors', which may be part of more.
_BEGINNINGS = ("conv_in.weight", "input_blocks.0.0.weight", "control_model.input_blocks.0.0.weight")
_HINTS = ("controlnet_cond_embedding.conv_in.weight", "input_hint_block.0.weight")
_BESIDE = ("config.json", f"{IMAGE_ENCODER}/config.json", f"{IMAGE_ENCODER}/model.safetensors")
_TOLD_SIZES = "add_embedding.linear_1.weight"
_READS_WORDS = re.compile(r"attn2\.to_k\.weight$")
_READS_PICTURES = re.compile(r"^ip_adapter\.\d+\.to_k_ip\.weight$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What has to be alike for a companion to fit a denoiser.

    Args:
        words: how wide the words are that are read.
        latents: the channels that go in, and ``width`` what the first layer makes of them; None
            where that does not matter.
    """

    words: int
    latents: int | None = None
    width: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A network that goes beside checkpoints.

    Args:
        name: how it is told from others of its sort.
        file: with its weights.
        version: what tells them, and what lies beside them, from those that take their place.
    """

    name: str
    file: Path
    build: Build
    version: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """Of its file; an image encoder's comes on top."""
        return self.version[1]

    @property
    def unchanged(self) -> bool:
        """Whether its files are still those that it was told from."""
        try:
            return _version(self.file) == self.version
        except OSError:
            return False

    @property
    def base(self) -> str:
        """The family that it was made for."""
        return BASES.get(self.build.words, f"words {self.build.words} wide")

    def misfit(self, build: Build) -> str:
        """Return why it does not fit a denoiser, a sentence's end; empty if it may."""
        if self.build.words != build.words:
            return f"reads words {self.build.words} wide, not {build.words}"
        own = (self.build.latents or build.latents, self.build.width or build.width)
        return "" if own == (build.latents, build.width) else "is built otherwise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Misplaced:
    """What lies where companions do, and is none: why not, a sentence's end."""

    name: str
    reason: str


def kinds(*, models_dir: Path) -> tuple[str, ...]:
    """Return what the operator's ControlNets follow."""
    return tuple(
        folder.name
        for folder in sorted((models_dir / CONTROLS).glob("*"))
        if folder.is_dir() and _places(folder)
    )


def controls(kind: str, *, models_dir: Path) -> tuple[Companion | Misplaced, ...]:
    """Return the operator's ControlNets of a kind, by name."""
    if kind not in kinds(models_dir=models_dir):
        return ()
    places = _places(models_dir / CONTROLS / kind)
    return tuple(_looked_at(f"{kind}/{_name(place)}", place, _control) for place in places)


def spelled(*, models_dir: Path) -> tuple[str, ...]:
    """Return how a control can be asked for: by its kind, of several networks also by theirs."""
    found = []
    for kind in kinds(models_dir=models_dir):
        there = [it.name for it in controls(kind, models_dir=models_dir)]
        found += [kind, *(there if len(there) > 1 else ())]
    return tuple(found)


def ip_adapters(*, models_dir: Path) -> tuple[Companion | Misplaced, ...]:
    """Return the operator's IP-Adapters, by name; each has a folder for its image encoder."""
    places = _places(models_dir / IP_ADAPTERS)
    return tuple(_looked_at(_name(place), place, _ip_adapter) for place in places)


def companions(*, models_dir: Path) -> tuple[Companion | Misplaced, ...]:
    """Return all that goes beside checkpoints, each named by its place in the folder."""
    found = {
        CONTROLS: [
            each
            for kind in kinds(models_dir=models_dir)
            for each in controls(kind, models_dir=models_dir)
        ],
        IP_ADAPTERS: ip_adapters(models_dir=models_dir),
    }
    return tuple(
        replace(each, name=f"{folder}/{each.name}")
        for folder, them in found.items()
        for each in them
    )


def control_for(kind: str, *, model: str, models_dir: Path, network: str = "") -> Companion:
    """Return the first ControlNet of a kind that fits a checkpoint, or the one that is named.

    Raises:
        InvalidRequestError: there is none, or it knows none; the sentence says which there are.
        ModelUnavailableError: there is no such checkpoint, or it is damaged.
    """
    folder = checkpoint_folder(model, models_dir=models_dir)
    family = family_of(folder)
    if family.rows != UNET_ROWS or family.edits:
        raise InvalidRequestError(
            f"{model} follows no control: {family.title} runs without",
            why="controls_unread",
            model=model,
            family=family.title,
        )
    known = kinds(models_dir=models_dir)
    if kind not in known:
        others = f"; there are some for {', '.join(known)}" if known else ""
        raise InvalidRequestError(
            f"there is no ControlNet for {kind} here{others}",
            why="control_absent" if known else "control_none",
            kind=kind,
            known=known,
        )
    found = controls(kind, models_dir=models_dir)
    if not network:
        return _fitting(found, folder, model=model, what=f"no ControlNet for {kind} fits {model}")
    chosen = tuple(each for each in found if each.name == f"{kind}/{network}")
    if not chosen:
        there = tuple(each.name for each in found)
        raise InvalidRequestError(
            f"there is no ControlNet {kind}/{network}; there are: {', '.join(there)}",
            why="network_absent",
            name=f"{kind}/{network}",
            known=there,
        )
    return _fitting(chosen, folder, model=model, what=f"{kind}/{network} does not fit {model}")


def ip_adapter_for(*, model: str, models_dir: Path) -> Companion:
    """Return the first IP-Adapter that fits a checkpoint.

    Raises:
        InvalidRequestError: there is none, or it knows none; the sentence says why.
        ModelUnavailableError: there is no such checkpoint, or it is damaged.
    """
    folder = checkpoint_folder(model, models_dir=models_dir)
    family = family_of(folder)
    if family.rows != UNET_ROWS:
        raise InvalidRequestError(
            f"{model} looks at no other picture: {family.title} runs without",
            why="likeness_unread",
            model=model,
            family=family.title,
        )
    found = ip_adapters(models_dir=models_dir)
    if not found:
        raise InvalidRequestError(
            "there is no IP-Adapter here, which likeness needs", why="adapter_none"
        )
    return _fitting(found, folder, model=model, what=f"no IP-Adapter fits {model}")


def _fitting(
    found: tuple[Companion | Misplaced, ...], folder: Path, *, model: str, what: str
) -> Companion:
    build, reasons = _build_of(folder), []
    for each in found:
        reason = each.reason if isinstance(each, Misplaced) else each.misfit(build)
        if isinstance(each, Companion) and not reason:
            return each
        reasons.append(f"{each.name} {reason}")
    raise InvalidRequestError(
        f"{what}: {'; '.join(reasons)}",
        why="companions_misfit",
        model=model,
        known=tuple(each.name for each in found),
    )


def _build_of(folder: Path) -> Build:
    """Return how a checkpoint's denoiser is built."""
    unet = read_config(folder, "unet/config.json")
    try:
        return Build(
            words=int(unet["cross_attention_dim"]),
            latents=int(unet["out_channels"]),
            width=int(unet["block_out_channels"][0]),
        )
    except (KeyError, TypeError, ValueError, IndexError) as err:
        raise ModelUnavailableError(f"{folder.name}/unet/config.json is not understood") from err


def _places(folder: Path) -> tuple[Path, ...]:
    """Return the folders and the safetensors in a folder, by name."""
    found = (path for path in folder.glob("*") if not path.name.startswith("."))
    return tuple(
        sorted(path for path in found if path.is_dir() or path.suffix == ".safetensors")
    )  # fmt: skip


def _name(place: Path) -> str:
    return place.name.removesuffix(".safetensors")


def _looked_at(
    name: str, place: Path, build_of: Callable[[Path, Shapes], Build]
) -> Companion | Misplaced:
    try:
        file = _file_of(place)
        version = _version(file)
        build = build_of(place, _head(file, version[:2]))
    except (GenerationError, OSError) as err:
        return Misplaced(name=name, reason=str(err))
    return Companion(name=name, file=file, build=build, version=version)


def _file_of(place: Path) -> Path:
    """Return the file of a companion's weights; of several numeric formats the plainest."""
    if place.is_file():
        return place
    found = sorted(place.glob("*.safetensors"), key=lambda path: (path.stem.count("."), path.name))
    plainest = [path for path in found if path.stem.count(".") == found[0].stem.count(".")]
    if len(plainest) > 1:
        raise ModelUnavailableError(
            f"holds {' and '.join(path.name for path in plainest)}; which is it to be?"
        )
    if not plainest:
        raise ModelUnavailableError("holds no weights (*.safetensors)")
    return plainest[0]


def _version(file: Path) -> tuple[int, ...]:
    """Return what tells a file, and what is read with it, from those that take their place.

    Raises:
        OSError: it is not there.
    """
    beside = [file.parent / each for each in _BESIDE if (file.parent / each).is_file()]
    found = [each.stat() for each in (file, *beside)]
    return tuple(number for it in found for number in (it.st_mtime_ns, it.st_size))


@lru_cache(maxsize=64)
def _head(file: Path, version: tuple[int, ...]) -> Shapes:
    """Return a file's head, read once for each of its versions."""
    del version
    return read_head(file)


def _control(place: Path, shapes: Shapes) -> Build:
    """Return how a ControlNet is built, by diffusers' names or those of its authors.

    Raises:
        ModelUnavailableError: it is another network.
    """
    del place
    if any(name.startswith(("task_embedding", "control_add_embedding")) for name in shapes):
        raise ModelUnavailableError("is a union of ControlNets, which is not run here")
    if "lora_controlnet" in shapes:
        raise ModelUnavailableError("is a LoRA of a ControlNet, which is not run here")
    first = next((shapes[name] for name in _BEGINNINGS if name in shapes), ())
    hinted = any(name.removeprefix("control_model.") in _HINTS for name in shapes)
    words = next((shapes[name][-1] for name in shapes if _READS_WORDS.search(name)), None)
    if words is None and _TOLD_SIZES in shapes:
        # The small ones for Stable Diffusion XL read no words, and are told sizes as it is.
        words = XL_WORDS
    if not hinted or len(first) != 4 or words is None:
        raise ModelUnavailableError("is no ControlNet of Stable Diffusion")
    return Build(words=words, latents=first[1], width=first[0])


def _ip_adapter(place: Path, shapes: Shapes) -> Build:
    """Return how an IP-Adapter is built.

    Raises:
        ModelUnavailableError: it is another network, or its image encoder is missing or another.
    """
    words = {shapes[name][-1] for name in shapes if _READS_PICTURES.match(name)}
    seen = _seen_by(shapes)
    if len(words) != 1 or seen is None:
        raise ModelUnavailableError("is no IP-Adapter")
    part, wide = seen
    if place.is_file():
        raise ModelUnavailableError(f"needs a folder of its own, with {IMAGE_ENCODER} beside it")
    if not (place / IMAGE_ENCODER / "model.safetensors").is_file():
        raise ModelUnavailableError(f"lacks {IMAGE_ENCODER}/model.safetensors beside it")
    if read_config(place / IMAGE_ENCODER, "config.json").get(part) != wide:
        raise ModelUnavailableError(f"needs another image encoder, whose {part} is {wide}")
    return Build(words=words.pop())


def _seen_by(shapes: Shapes) -> tuple[str, int] | None:
    """Return what of a picture's encoding is read, by the encoder's name for its width.

    Raises:
        ModelUnavailableError: it is made for faces, and reads what no image encoder says.
    """
    projections = {
        "image_proj.proj.weight": ("projection_dim", 1),
        "image_proj.proj_in.weight": ("hidden_size", 1),
        "image_proj.proj.3.weight": ("hidden_size", 0),
    }
    if "image_proj.norm.weight" in shapes and "image_proj.proj.2.weight" in shapes:
        raise ModelUnavailableError("knows faces by a network that is not run here")
    for name, (part, side) in projections.items():
        if name in shapes:
            first = shapes["image_proj.proj.0.weight" if "proj.3" in name else name]
            return part, first[side]
    return None
