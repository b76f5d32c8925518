"""What a checkpoint asks of a device's memory, told from its files before it is loaded.

Weights are counted from the heads of the files. What the networks work with is reckoned from their
configurations; the factors are what diffusers' classes were measured to hold at once with
everything of Stable Diffusion 1.5, XL and 3.5, FLUX and Qwen-Image (``tests/generation/
test_demands.py`` measures the first two anew), and a fifth is added for what libraries keep.
Nothing here imports torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from generation.errors import UNREADABLE, ModelUnavailableError
from generation.families import Family
from generation.heads import Shapes, read_head
from generation.memory import SHAPES, Demand
from generation.pipelines.base import EngineConfig
from generation.recognition import DENOISERS, HELD_BY_NAME, Config, family_of, read_config
from generation.weights import Manifest, read_manifest, weight_files

LARGE = 2**15
"""Numbers of a weight that is worth being kept in 8 bits."""
SPARE = 1.2
UNLOADED = "safety_checker"
CODECS = ("vae", "tiny_vae", "movq")
EMBEDDINGS = ("embedding.weight", "embed_tokens.weight", "shared.weight")
"""How the names of weights end that are looked up in, not multiplied with."""

ATTENTION, JOINED = 22, 10
"""Times a level's activations that a UNet holds in attention, and where its halves are joined."""
TRANSFORMED = 18
"""Times its tokens that a transformer holds."""
DECODED, ENCODED = 3, 5
"""Times the widest full-size activations that a codec holds on its way out, and on its way in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weights:
    """Bytes of one network: as they are, and with large ones in 8 bits."""

    plain: int
    narrow: int
    widest: int


def demand_of(folder: Path, *, config: EngineConfig, gpu: bool, fused: bool = True) -> Demand:
    """Return what a checkpoint asks for on a device.

    Args:
        folder: the checkpoint's.
        config: what it would be loaded with.
        gpu: whether the device has a memory of its own.
        fused: whether it calculates attention without writing its scores down.

    Raises:
        ModelUnavailableError: its index, its manifest or the head of a file is damaged.
    """
    family, manifest = family_of(folder), read_manifest(folder)
    itemsize = 4 if config.dtype == "float32" or (config.dtype == "auto" and not gpu) else 2
    weights = _weights(folder, itemsize=itemsize)
    codec = _config(folder, "vae")
    careful = (
        family.careful_codec and codec.get("force_upcast", False) and _is_float16(config, family)
    )
    wide = 4 if careful and itemsize == 2 else itemsize
    denoisers, encoders, codecs = _sorted_out(weights)
    side = _side(folder, family, manifest, codec)
    width = _width(family)
    profiled = gpu if config.profile is None else config.profile
    row, scores, heads = _row(folder, family, codec, side=side, itemsize=itemsize)
    return Demand(
        denoiser=sum(each.plain for each in denoisers),
        encoders=sum(each.plain for each in encoders),
        encoder=max((each.plain for each in encoders), default=0),
        codec=sum(each.plain for each in codecs) * wide // itemsize,
        row=row,
        scores=0 if fused else scores,
        slice_scores=0 if fused else scores // heads,
        picture=_picture(codec, side=side, itemsize=wide),
        tile=_tile(codec, manifest, side=side, itemsize=wide),
        rows=max(width, config.batch_rows or (SHAPES[-1] if profiled or not config.exact else 1)),
        pictures=config.vae_rows or (SHAPES[-1] if profiled else 1),
        tile_side=tile_side(side, factor=_factor(codec)),
        width=width,
        denoiser_8=sum(each.narrow for each in denoisers),
        encoders_8=sum(each.narrow for each in encoders),
        encoder_8=max((each.narrow for each in encoders), default=0),
        widened=max((each.widest for each in (*denoisers, *encoders)), default=0),
        apart=gpu,
    )


def tile_side(side: int, *, factor: int) -> int:
    """Return the side in pixels of a codec's tiles: half the picture's, and 8 latents at least.

    It is four times a number of latents, of which a quarter overlaps.
    """
    return max(8, 4 * -(-side // (8 * factor))) * factor


def _is_float16(config: EngineConfig, family: Family) -> bool:
    return (family.half if config.dtype == "auto" else config.dtype) == "float16"


def _weights(folder: Path, *, itemsize: int) -> dict[str, _Weights]:
    """Return the weights of every network that is loaded, by its name in the index."""
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    try:
        for path in weight_files(folder):
            for name, shape in read_head(path).items():
                part = _part_of(name) if path.parent == folder else path.parent.name
                found.setdefault(part, {})[f"{path.name}/{name}"] = shape
    except ModelUnavailableError as err:
        raise type(err)(f"{folder.name}: {err}") from err
    found.pop(UNLOADED, None)
    return {part: _counted(shapes, itemsize=itemsize) for part, shapes in found.items()}


def _part_of(name: str) -> str:
    """Return whose a tensor of a single file is."""
    starts = ((part, start) for part, all_ in HELD_BY_NAME.items() for start in all_)
    return next((part for part, start in starts if name.startswith(start)), DENOISERS[0])


def _counted(shapes: Shapes, *, itemsize: int) -> _Weights:
    large = {
        name: shape
        for name, shape in shapes.items()
        if len(shape) in (2, 4) and prod(shape) >= LARGE and not name.endswith(EMBEDDINGS)
    }
    plain = itemsize * sum(prod(shape) for shape in shapes.values())
    saved = sum((itemsize - 1) * prod(shape) - itemsize * shape[0] for shape in large.values())
    widest = max((itemsize * prod(shape) for shape in large.values()), default=0)
    return _Weights(plain=plain, narrow=plain - saved, widest=widest)


def _sorted_out(
    weights: Mapping[str, _Weights],
) -> tuple[Sequence[_Weights], Sequence[_Weights], Sequence[_Weights]]:
    """Return the denoisers' weights, the text encoders', and the codecs'; others stay as well."""
    encoders = [each for part, each in weights.items() if part.startswith("text_encoder")]
    codecs = [each for part, each in weights.items() if part in CODECS]
    rest = [
        each
        for part, each in weights.items()
        if part not in CODECS and not part.startswith("text_encoder")
    ]
    return rest, encoders, codecs


def _config(folder: Path, part: str) -> Config:
    """Return a part's configuration, nothing where it has none; loading it says what is wrong."""
    try:
        return read_config(folder, f"{part}/config.json")
    except ModelUnavailableError:
        return {}


def _factor(codec: Config) -> int:
    """Return how many pixels a latent is wide."""
    levels = codec.get("block_out_channels") or codec.get("dim_mult") or (0, 0, 0, 0)
    return int(2 ** (len(levels) - 1))


def _side(folder: Path, family: Family, manifest: Manifest, codec: Config) -> int:
    """Return the side in pixels of the square that a checkpoint is run at."""
    latents = _config(folder, "unet").get("sample_size") if family.by_rows else None
    if isinstance(latents, list):
        latents = max(latents)
    trained = int(latents) * _factor(codec) if latents else family.side
    return manifest.native_size or trained


def _width(family: Family) -> int:
    """Return the most rows of the denoiser that one request takes."""
    if family.by_rows:
        return 3 if family.edits else 2
    return 1 if family.architecture in ("flux", "flux_schnell", "qwen") else 2


def _row(
    folder: Path, family: Family, codec: Config, *, side: int, itemsize: int
) -> tuple[int, int, int]:
    """Return what one row works with, its scores of attention, and the heads that have these."""
    latents = (side // _factor(codec)) ** 2
    try:
        if unet := _config(folder, "unet"):
            numbers, scores, heads = _of_unet(unet, latents=latents)
        elif transformer := _config(folder, "transformer"):
            numbers, scores, heads = _of_transformer(
                transformer, tokens=latents // 4 + family.tokens
            )
        else:
            return 0, 0, 1
    except UNREADABLE:
        # A configuration that says something else than it should; loading tells what.
        return 0, 0, 1
    return int(SPARE * itemsize * numbers), 2 * itemsize * scores, heads


def _of_unet(unet: Config, *, latents: int) -> tuple[int, int, int]:
    """Return the numbers that a UNet holds at once for a row, its scores, and its heads.

    What its way down leaves for its way up stays there all the time.
    """
    channels, kinds = unet["block_out_channels"], unet["down_block_types"]
    layers, heads = unet.get("layers_per_block", 2), unet.get("attention_head_dim", 8)
    sizes = [wide * latents // 4**level for level, wide in enumerate(channels)]
    depth = [layers] * len(sizes) if isinstance(layers, int) else layers
    waiting = sum((count + 1) * size for count, size in zip(depth, sizes, strict=True))
    attending = [level for level, kind in enumerate(kinds) if "Attn" in kind]
    first = attending[0] if attending else len(sizes) - 1
    most = max(ATTENTION * sizes[first], JOINED * sizes[0])
    count = heads if isinstance(heads, int) else heads[first]
    return waiting + most, count * (latents // 4**first) ** 2, count


def _of_transformer(transformer: Config, *, tokens: int) -> tuple[int, int, int]:
    heads = int(transformer["num_attention_heads"])
    width = heads * int(transformer["attention_head_dim"])
    return TRANSFORMED * tokens * width, heads * tokens**2, heads


def _picture(codec: Config, *, side: int, itemsize: int) -> int:
    """Return what a codec works with for a picture of a side."""
    channels = codec.get("block_out_channels") or [codec.get("base_dim") or 128]
    joined = channels[min(1, len(channels) - 1)]
    return int(SPARE * itemsize * side**2 * max(DECODED * joined, ENCODED * channels[0]))


def _tile(codec: Config, manifest: Manifest, *, side: int, itemsize: int) -> int:
    """Return the same when it works on tiles; only the usual class has them in our hands."""
    small = tile_side(side, factor=_factor(codec))
    if codec.get("_class_name") != "AutoencoderKL" or manifest.quick or small >= side:
        return _picture(codec, side=side, itemsize=itemsize)
    return _picture(codec, side=small, itemsize=itemsize)
