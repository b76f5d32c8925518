"""What members ask for: pictures with short and long ways to go, drawn from a seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from PIL import Image

from generation.png import encode_png

SIDE = 64
WORDS = ("night", "fog", "snow", "sunset", "rain", "autumn", "storm", "forest")
SHORT_STEPS = (2, 3, 4)
# Twenty to thirty steps at a strength of 0.6.
LONG_STEPS = (12, 15, 18)
SHARE_SHORT = 0.6
PROMPT_WORDS = 6

_numbers = count(1)
_members = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One picture to make of another, a PNG in and a PNG out."""

    job_id: str
    png: bytes
    prompt: str
    steps: int
    seed: int
    member: int = 1

    @property
    def short(self) -> bool:
        """Whether it has few steps to go."""
        return self.steps <= max(SHORT_STEPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A job that came back, and how many seconds it took."""

    job: Job
    seconds: float


def picture(number: int, *, side: int = SIDE) -> bytes:
    """Return a picture as a PNG."""
    rng = random.Random(number)
    return encode_png(Image.frombytes("RGB", (side, side), rng.randbytes(side * side * 3)))


def job(rng: random.Random, *, steps: Sequence[int] | None = None, member: int = 1) -> Job:
    """Draw a job: of the given step counts, else short or long.

    No two have the same picture or, hardly ever, the same words: caches have nothing to keep.
    """
    drawn = steps or (SHORT_STEPS if rng.random() < SHARE_SHORT else LONG_STEPS)
    return Job(
        job_id=f"job {next(_numbers)}",
        png=picture(rng.randrange(2**32)),
        prompt=" ".join(rng.choices(WORDS, k=PROMPT_WORDS)),
        steps=rng.choice(drawn),
        seed=rng.randrange(2**32),
        member=member,
    )


def strangers(number: int) -> list[int]:
    """Return members who asked for nothing before."""
    return [next(_members) for _ in range(number)]


def jobs(seed: int, *, member: int = 1) -> Iterator[Job]:
    """Draw jobs without end."""
    rng = random.Random(seed)
    while True:
        yield job(rng, member=member)
