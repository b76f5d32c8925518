"""The goals on a GPU, apart from how they are measured: they are shown where there is none, too."""

from dataclasses import dataclass

from benchmarks.figures import Goal, at_least, at_most


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a figure is about, and its goal."""

    id: str
    title: str
    goal: Goal


UNET = Aim(id="G1", title="UNet at 512 px, 8 rows a call", goal=at_least(45, "% of 790 TFLOP/s"))
DECODE = Aim(id="G1", title="KL codec decodes 1024 px", goal=at_most(33, "ms"))
THREAD = Aim(
    id="G2",
    title="16 members, SD-Turbo 512, 1-4 steps, against a thread",
    goal=at_least(4, "x as many"),
)
COMPILED = Aim(
    id="G2", title="the same, against a compiled pipeline", goal=at_least(1.5, "x as many")
)
STATIC = Aim(
    id="G2", title="the same, against an ideal static batch", goal=at_least(0.9, "x as many")
)
STREAM = Aim(
    id="G3", title="one stream, against StreamDiffusion's loop", goal=at_least(1, "x as many")
)
PROMPTS = Aim(id="G3", title="16 members with prompts of their own", goal=at_least(3, "x as many"))
LONE = Aim(id="G3", title="a lone picture of 4 steps", goal=at_most(0.4, "x as long"))
TURBO = Aim(
    id="G4", title="SD-Turbo, 1 step, tiny codec: engine time alone", goal=at_most(10, "ms")
)
SAME_STEPS = Aim(
    id="G5",
    title="p95 at 1.2 x load, against batches of equal steps",
    goal=at_most(0.4, "x as long"),
)
AIMS = (
    UNET, DECODE, THREAD, COMPILED, STATIC, STREAM, PROMPTS, LONE, TURBO, SAME_STEPS,
)  # fmt: skip
