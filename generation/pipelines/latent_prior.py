"""A learned prior over a VAE's latents: flow matching (Lipman et al., ICLR 2023) for pictures.

Latents of pictures stand in rows and columns and belong together, so N(0, 1), the VAE's own prior,
gives mush. A small network learns the velocity that carries noise to latents along straight lines,
beside the words of captions; words left out at random allow classifier-free guidance (Ho &
Salimans, 2022).

Differs from the paper: times are drawn from a logit-normal (Esser et al., ICML 2024), and the
conditions are a caption's words, each there or not.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

EMBEDDED = 128
GROUPS = 8
HEADS = 4
STEPS = 12
GUIDANCE = 2.0

Velocity = Callable[[Tensor, Tensor], Tensor]


def between(noise: Tensor, latents: Tensor, *, t: Tensor) -> Tensor:
    """Return the places on the straight lines from noise (t = 0) to latents (t = 1).

    The paper's optimal transport path (section 4.1) with a smallest deviation of 0.

    Shape:
        - noise, latents: ``(N, C, h, w)``; t: ``(N,)``.
    """
    share = t.view(-1, 1, 1, 1)
    return (1 - share) * noise + share * latents


def flow_loss(velocity: Tensor, noise: Tensor, latents: Tensor) -> Tensor:
    """Return the mean square distance to the lines' velocity, ``latents - noise``.

    Shape:
        - returns: ``()``.
    """
    loss: Tensor = (velocity.float() - (latents - noise)).square().mean()
    return loss


def slerp(first: Tensor, second: Tensor, ratio: float) -> Tensor:
    """Return what lies between two latents on a great circle (Shoemake, SIGGRAPH 1985).

    Of vectors of one length the result has that length too; of others the length goes evenly from
    one to the other. Where the two are parallel it is the straight line.

    Args:
        first: latents of a picture, taken as one vector.
        second: likewise.
        ratio: 0 is the first, 1 the second.

    Shape:
        - first, second: ``(1, C, h, w)``.
    """
    if ratio == 0:
        return first
    if ratio == 1:
        return second
    a, b = first.flatten().double(), second.flatten().double()
    long_a, long_b = a.norm(), b.norm()
    cosine = torch.clamp(a @ b / (long_a * long_b), -1, 1)
    angle = torch.arccos(cosine)
    # Not so either where one of them is nothing, and the angle no number.
    if not torch.sin(angle) > 1e-6:
        straight: Tensor = torch.lerp(first, second, ratio)
        return straight
    length = long_a + ratio * (long_b - long_a)
    onto_a = torch.sin((1 - ratio) * angle) / torch.sin(angle) / long_a
    onto_b = torch.sin(ratio * angle) / torch.sin(angle) / long_b
    turned: Tensor = length * (onto_a * a + onto_b * b)
    return turned.to(first.dtype).view_as(first)


@torch.no_grad()
def carried(
    velocity: Velocity,
    start: Tensor,
    *,
    begin: float = 0.0,
    end: float = 1.0,
    steps: int = STEPS,
) -> Tensor:
    """Return where the flow carries latents from one time to another, by Heun's method.

    The last step to time 1 is Euler's, as in Karras et al. (NeurIPS 2022, algorithm 1).

    Shape:
        - start: ``(N, C, h, w)`` at time ``begin``.
    """
    times = torch.linspace(begin, end, steps + 1).tolist()
    x = start
    for now, after in pairwise(times):
        here = velocity(x, x.new_full((len(x),), now))
        guess = x + (after - now) * here
        if after == 1.0:
            x = guess
            break
        there = velocity(guess, x.new_full((len(x),), after))
        x = x + (after - now) * (here + there) / 2
    return x


class LatentPrior(nn.Module):
    """Knows a VAE's latents of a kind of pictures, and what captions say of them.

    Args:
        latents: channels of the VAE's latents.
        size: rows and columns of a picture's latents.
        words: the attributes that captions name.
        width, blocks: channels of the network, and its depth.
    """

    mean: Tensor
    deviation: Tensor
    directions: Tensor

    def __init__(
        self, *, latents: int, size: int, words: Sequence[str], width: int = 96, blocks: int = 4
    ) -> None:
        super().__init__()
        self.latents, self.size, self.words = latents, size, tuple(words)
        self.width, self.depth = width, blocks
        self.register_buffer("mean", torch.zeros(1, latents, 1, 1))
        self.register_buffer("deviation", torch.ones(1, latents, 1, 1))
        self.register_buffer("directions", torch.zeros(len(words), latents, size, size))
        self.time = nn.Sequential(
            nn.Linear(EMBEDDED // 2, EMBEDDED), nn.SiLU(), nn.Linear(EMBEDDED, EMBEDDED)
        )
        self.word = nn.Linear(len(words), EMBEDDED, bias=False)
        self.place = nn.Parameter(0.02 * torch.randn(1, width, size, size))
        self.begin = nn.Conv2d(latents, width, 3, padding=1)
        self.blocks = nn.ModuleList([_Block(width) for _ in range(blocks)])
        self.end = nn.Sequential(
            nn.GroupNorm(GROUPS, width), nn.SiLU(), nn.Conv2d(width, latents, 3, padding=1)
        )
        nn.init.zeros_(self.end[2].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.end[2].bias)  # type: ignore[arg-type]

    @property
    def arguments(self) -> dict[str, Any]:
        """What another of the same make is built with."""
        made = {"latents": self.latents, "size": self.size, "words": list(self.words)}
        return {**made, "width": self.width, "blocks": self.depth}

    def said(self, words: Sequence[str]) -> Tensor:
        """Return which attributes some words name.

        Shape:
            - returns: ``(words,)``, 1 where one is said.
        """
        return torch.tensor([float(each in words) for each in self.words])

    def normal(self, latents: Tensor) -> Tensor:
        """Return latents as the prior sees them: of mean 0 and deviation 1 in every channel."""
        return (latents - self.mean) / self.deviation

    def unscaled(self, normal: Tensor) -> Tensor:
        """Return what the VAE decodes, of latents as the prior sees them."""
        return normal * self.deviation + self.mean

    def forward(self, x: Tensor, t: Tensor, words: Tensor) -> Tensor:
        """Return the velocity at places of the lines.

        Shape:
            - x: ``(N, latents, size, size)``; t: ``(N,)``; words: ``(N, words)``, 1 where said.
            - returns: as ``x``.
        """
        told = self.time(_waves(t).to(x.dtype)) + self.word(words)
        hidden = self.begin(x) + self.place
        for block in self.blocks:
            hidden = block(hidden, told)
        velocity: Tensor = self.end(hidden)
        return velocity

    def guided(self, words: Tensor, *, guidance: float) -> Velocity:
        """Return the velocity that is led towards words; a guidance of 0 does not hear them.

        Shape:
            - words: ``(N, words)``.
        """
        none = torch.zeros_like(words)

        def velocity(x: Tensor, t: Tensor) -> Tensor:
            if guidance == 0 or not bool(words.any()):
                free: Tensor = self(x, t, none)
                return free
            told = torch.cat([none, words])
            free, led = self(x.repeat(2, 1, 1, 1), t.repeat(2), told).chunk(2)
            told_apart: Tensor = free + guidance * (led - free)
            return told_apart

        return velocity


class _Block(nn.Module):
    """A residual block that hears time and words, and attention after it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(GROUPS, channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )
        self.told = nn.Linear(EMBEDDED, 2 * channels)
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.mix = _Attention(channels)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.told.weight)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.told(functional.silu(told))[:, :, None, None].chunk(2, dim=1)
        hidden = self.norm(self.first(x)) * (1 + scale) + shift
        whole: Tensor = self.mix(x + self.second(functional.silu(hidden)))
        return whole


class _Attention(nn.Module):
    """Lets every place look at every other (Vaswani et al., NeurIPS 2017)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.asked = nn.Linear(channels, 3 * channels)
        self.answer = nn.Linear(channels, channels)
        nn.init.zeros_(self.answer.weight)

    def forward(self, x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        rows = self.norm(x).flatten(2).transpose(1, 2)
        split = self.asked(rows).view(count, height * width, 3, HEADS, channels // HEADS)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        told = self.answer(seen.transpose(1, 2).reshape(count, height * width, channels))
        whole: Tensor = x + told.transpose(1, 2).view(count, channels, height, width)
        return whole


def _waves(t: Tensor) -> Tensor:
    """Return sines and cosines of times, of wave lengths from 2 to 1/500."""
    count = EMBEDDED // 4
    speeds = torch.exp(torch.linspace(math.log(math.pi), math.log(1000 * math.pi), count))
    angles = t[:, None].float() * speeds.to(t.device)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
