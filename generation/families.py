"""The families of checkpoints and the rules that each is run by; nothing here imports torch.

One table says what a family likes to be run with, how a strength is meant for it, and what its
files look like. ``generation.recognition`` tells which family a checkpoint is of, from its files.
The figures are those of the families' own papers and model cards.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import lcm, sqrt
from types import MappingProxyType
from typing import Literal

from generation.request import Note, NoteCode

Half = Literal["float16", "bfloat16"]
Architecture = Literal[
    "instruct",
    "sd1",
    "sd2",
    "sdxl",
    "sdxl_refiner",
    "sd1_inpaint",
    "sd2_inpaint",
    "sdxl_inpaint",
    "sd3",
    "sd35",
    "flux",
    "flux_schnell",
    "qwen",
]
"""What the tensors alone tell: their names and shapes, not how they were trained."""

UNET_ROWS = "generation.checkpoints:Checkpoint"
"""What runs a UNet row by row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How the checkpoints of a family are run.

    Args:
        name: its key in ``FAMILIES``.
        title: what people call it.
        architecture: what its tensors look like; None where no single file is recognised.
        source: a public checkpoint of it, whose configuration a single file can be loaded with.
        rows: the class, as ``module:Class``, of its loaded checkpoints, whose requests share calls
            of the denoiser, step by step. None where diffusers' own pipeline runs whole, paused
            at the end of every step.
        betters: whether it only goes on with what another made, and starts from no canvas.
        weighs_words: whether its prompts may say that some words count for more than others.
        fills: whether it is told which part of the picture is a hole, and what is around it.
        edits: whether it is told the picture beside the noise, and so knows no strength: strength
            is then a mix of image guidance and of a blend with the picture. Otherwise strength is
            diffusers': the share of the steps that are taken, beginning with the noisy picture.
        steps: that it is planned with by default; None leaves that to diffusers.
        most_steps: that can be planned.
        few_steps: whether it is made for so few steps that a usual strength would leave none of
            them: the steps are then as many as let one be taken.
        guidance: that it is run with by default; None leaves that to diffusers.
        image_guidance: of families that are told the picture, at full strength.
        guidance_name: what diffusers calls the guidance that follows the prompt.
        negative_prompt: that stands for none, where guidance needs one.
        side: of the square, in pixels, that it was trained with, where its files do not say.
        reach: longest side in squares' sides. At 1 the longer side is the square's; above, the
            picture has the square's area, as in the buckets that newer families were trained in.
        grid: of which sides are multiples, whatever its networks divide by.
        half: what it calculates in on a GPU.
        careful_codec: whether its codec overflows in float16, unless its own configuration says
            that it was mended.
        tokens: longest prompt that is read; the rest is cut off.
        tokenizer: whose tokens those are.
        loader: diffusers' class that loads a single file of it; None where there is none.
    """

    name: str
    title: str
    architecture: Architecture | None = None
    source: str = ""
    rows: str | None = UNET_ROWS
    betters: bool = False
    weighs_words: bool = True
    edits: bool = False
    fills: bool = False
    steps: int | None = 30
    most_steps: int = 150
    few_steps: bool = False
    guidance: float | None = 7.5
    image_guidance: float | None = None
    guidance_name: str = "guidance_scale"
    negative_prompt: str | None = None
    side: int = 512
    reach: float = 1.0
    grid: int = 1
    half: Half = "float16"
    careful_codec: bool = False
    tokens: int = 77
    tokenizer: str = "tokenizer"
    loader: str | None = None

    @property
    def by_rows(self) -> bool:
        """Whether requests share calls of its denoiser."""
        return self.rows is not None

    @property
    def paints(self) -> bool:
        """Whether it makes pictures from words alone, and new parts of pictures besides."""
        return self.by_rows and not (self.edits or self.betters)

    def planned_steps(self, steps: int, *, strength: float) -> int:
        """Return the steps to plan, of which ``strength`` is the share that is taken.

        A family of few steps gets as many as let one be taken, if any number does.
        """
        steps = min(steps, self.most_steps)
        if not self.few_steps:
            return steps
        enough = (more for more in range(steps, self.most_steps + 1) if int(more * strength) >= 1)
        return next(enough, steps)

    def notes(self, steps: int, *, strength: float) -> tuple[Note, ...]:
        """Tell the member of the steps that were planned besides those that were wished."""
        planned = self.planned_steps(steps, strength=strength)
        if planned <= steps:
            return ()
        return (Note(code=NoteCode.MORE_STEPS, words=(str(planned),)),)

    def fitted(self, width: int, height: int, *, side: int, multiple: int) -> tuple[int, int]:
        """Return the size in pixels that a picture is run at: its aspect, in multiples.

        Args:
            width: of the picture, in any unit.
            height: of the picture, likewise.
            side: of the square that the checkpoint was trained with.
            multiple: of which both sides have to be.
        """
        multiple = lcm(multiple, self.grid)
        longest = self.reach * side / max(width, height)
        scale = min(longest, side / sqrt(width * height)) if self.reach > 1 else longest
        across, down = (round(each * scale / multiple) for each in (width, height))
        return max(1, across) * multiple, max(1, down) * multiple


def _table(families: Iterable[Family]) -> Mapping[str, Family]:
    return MappingProxyType({family.name: family for family in families})


_SD1 = Family(
    name="sd1",
    title="Stable Diffusion 1.x",
    architecture="sd1",
    source="stable-diffusion-v1-5/stable-diffusion-v1-5",
    loader="StableDiffusionPipeline",
)
_SDXL = Family(
    name="sdxl",
    title="Stable Diffusion XL",
    architecture="sdxl",
    source="stabilityai/stable-diffusion-xl-base-1.0",
    guidance=5.0,
    side=1024,
    reach=2.0,
    grid=8,
    careful_codec=True,
    loader="StableDiffusionXLPipeline",
)
_SD2 = replace(
    _SD1,
    name="sd2",
    title="Stable Diffusion 2.x",
    architecture="sd2",
    source="stabilityai/stable-diffusion-2-1",
    side=768,
)
_LCM = replace(
    _SD1,
    name="lcm",
    title="Latent Consistency Model",
    # Its denoiser is told the guidance by a layer that diffusers' loader of single files drops.
    architecture=None,
    loader=None,
    source="SimianLuo/LCM_Dreamshaper_v7",
    steps=4,
    most_steps=50,
    few_steps=True,
    guidance=8.0,
    side=768,
)
_SD3 = Family(
    name="sd3",
    title="Stable Diffusion 3",
    architecture="sd3",
    source="stabilityai/stable-diffusion-3-medium-diffusers",
    rows="generation.pipelines.sd3:SD3Checkpoint",
    weighs_words=False,
    steps=28,
    guidance=7.0,
    side=1024,
    reach=2.0,
    half="bfloat16",
    tokens=256,
    tokenizer="tokenizer_3",
    loader="StableDiffusion3Pipeline",
)
_FLUX = Family(
    name="flux_dev",
    title="FLUX.1 dev",
    architecture="flux",
    source="black-forest-labs/FLUX.1-dev",
    rows="generation.pipelines.flux:FluxCheckpoint",
    weighs_words=False,
    steps=28,
    guidance=3.5,
    side=1024,
    reach=2.0,
    half="bfloat16",
    tokens=512,
    tokenizer="tokenizer_2",
    loader="FluxPipeline",
)

OTHER = Family(
    name="other",
    title="another pipeline of diffusers",
    rows=None,
    weighs_words=False,
    steps=None,
    guidance=None,
    side=1024,
    half="bfloat16",
)
"""Whatever else starts from a picture: run whole, as diffusers has it."""

FAMILIES: Mapping[str, Family] = _table(
    (
        Family(
            name="instruct_pix2pix",
            title="InstructPix2Pix",
            architecture="instruct",
            source="timbrooks/instruct-pix2pix",
            edits=True,
            steps=20,
            image_guidance=1.5,
            loader="StableDiffusionInstructPix2PixPipeline",
        ),
        _SD1,
        replace(
            _SD1,
            name="sd1_inpaint",
            title="Stable Diffusion 1.x for inpainting",
            architecture="sd1_inpaint",
            source="stable-diffusion-v1-5/stable-diffusion-inpainting",
            fills=True,
            loader="StableDiffusionInpaintPipeline",
        ),
        _SD2,
        replace(
            _SD2,
            name="sd2_inpaint",
            title="Stable Diffusion 2.x for inpainting",
            architecture="sd2_inpaint",
            source="stabilityai/stable-diffusion-2-inpainting",
            fills=True,
            side=512,
            loader="StableDiffusionInpaintPipeline",
        ),
        replace(
            _SD2,
            name="sd_turbo",
            title="SD-Turbo",
            source="stabilityai/sd-turbo",
            steps=2,
            few_steps=True,
            guidance=0.0,
            side=512,
        ),
        _LCM,
        replace(
            _LCM,
            name="lcm_merged",
            title="Stable Diffusion 1.x with LCM merged in",
            architecture="sd1",
            source=_SD1.source,
            guidance=1.5,
            side=512,
            loader=_SD1.loader,
        ),
        _SDXL,
        replace(
            _SDXL,
            name="sdxl_inpaint",
            title="Stable Diffusion XL for inpainting",
            architecture="sdxl_inpaint",
            source="diffusers/stable-diffusion-xl-1.0-inpainting-0.1",
            fills=True,
            loader="StableDiffusionXLInpaintPipeline",
        ),
        replace(
            _SDXL,
            name="sdxl_refiner",
            title="Stable Diffusion XL refiner",
            architecture="sdxl_refiner",
            source="stabilityai/stable-diffusion-xl-refiner-1.0",
            betters=True,
            tokenizer="tokenizer_2",
            loader="StableDiffusionXLImg2ImgPipeline",
        ),
        replace(
            _SDXL,
            name="sdxl_turbo",
            title="SDXL-Turbo",
            source="stabilityai/sdxl-turbo",
            steps=2,
            few_steps=True,
            guidance=0.0,
            side=512,
        ),
        replace(
            _SDXL,
            name="sdxl_lightning",
            title="SDXL Lightning",
            steps=4,
            few_steps=True,
            guidance=0.0,
        ),
        replace(
            _SDXL,
            name="sdxl_lcm",
            title="Stable Diffusion XL as a Latent Consistency Model",
            architecture=None,
            loader=None,
            steps=4,
            most_steps=50,
            few_steps=True,
            guidance=8.0,
        ),
        replace(
            _SDXL,
            name="sdxl_lcm_merged",
            title="Stable Diffusion XL with LCM merged in",
            steps=4,
            most_steps=50,
            few_steps=True,
            guidance=1.5,
        ),
        _SD3,
        replace(
            _SD3,
            name="sd35",
            title="Stable Diffusion 3.5",
            architecture="sd35",
            source="stabilityai/stable-diffusion-3.5-medium",
            guidance=4.5,
        ),
        _FLUX,
        replace(
            _FLUX,
            name="flux_schnell",
            title="FLUX.1 schnell",
            architecture="flux_schnell",
            source="black-forest-labs/FLUX.1-schnell",
            steps=4,
            few_steps=True,
            guidance=0.0,
            tokens=256,
        ),
        replace(
            _FLUX,
            name="flux_kontext",
            title="FLUX.1 Kontext",
            source="black-forest-labs/FLUX.1-Kontext-dev",
            edits=True,
            guidance=2.5,
            loader="FluxKontextPipeline",
        ),
        Family(
            name="qwen_image_edit",
            title="Qwen-Image-Edit",
            architecture="qwen",
            source="Qwen/Qwen-Image-Edit",
            rows="generation.pipelines.qwen:QwenCheckpoint",
            weighs_words=False,
            edits=True,
            steps=40,
            guidance=4.0,
            guidance_name="true_cfg_scale",
            negative_prompt=" ",
            side=1024,
            reach=2.0,
            grid=32,
            half="bfloat16",
            tokens=1024,
        ),
        OTHER,
    )
)
