"""L-BFGS, one evaluation at a time (Liu & Nocedal, 1989; Nocedal & Wright, algorithm 7.4).

Differs from the textbook: there is no line search, so that each step is one evaluation; whoever
finds the loss higher than before may have the movement shortened. It takes the very steps of
``torch.optim.LBFGS`` with ``max_iter=1``, but is changed only when a step has been worked out in
full: what fails for lack of memory can be repeated.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

HISTORY = 20
LEAST_CURVATURE = 1e-10
SHORTER = 0.25


class Lbfgs:
    """What an optimisation remembers of its last steps.

    Args:
        first: how far to go along the first gradient; None is so far that all values together
            move by 1 at most.
    """

    def __init__(self, *, first: float | None = None) -> None:
        self._first = first
        self._pairs: Sequence[tuple[Tensor, Tensor]] = ()
        self._gradient: Tensor | None = None
        self._movement: Tensor | None = None

    def movement(self, gradient: Tensor) -> Tensor:
        """Return how to move from where the gradient was taken; the caller moves there.

        Shape:
            - gradient: any, the same every time, as is what is returned.
        """
        pairs = self._pairs
        if self._gradient is None or self._movement is None:
            rate = self._first or min(1.0, 1.0 / max(float(gradient.abs().sum()), 1e-30))
        else:
            rate, change = 1.0, gradient - self._gradient
            if float(_dot(change, self._movement)) > LEAST_CURVATURE:
                pairs = (*pairs, (self._movement, change))[-HISTORY:]
        movement = rate * direction(gradient, pairs)
        self._pairs, self._gradient, self._movement = pairs, gradient, movement
        return movement

    @property
    def reach(self) -> float | None:
        """How far to go along a gradient, as the last step showed; None before there was one."""
        if not self._pairs:
            return None
        moved, change = self._pairs[-1]
        return float(_dot(moved, change) / _dot(change, change))

    def shortened(self) -> Tensor:
        """Return a quarter of the last movement, to go from where it began instead."""
        assert self._movement is not None, "there was a movement"
        self._movement = self._movement * SHORTER
        return self._movement


def direction(gradient: Tensor, pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Return the direction of descent: minus the inverse Hessian, as the pairs show it, times g.

    Args:
        gradient: g.
        pairs: movements s and the changes y of the gradient that they brought, oldest first.
    """
    result = -gradient
    shares = []
    for moved, change in reversed(pairs):
        shares.append(_dot(moved, result) / _dot(moved, change))
        result = result - shares[-1] * change
    if pairs:
        moved, change = pairs[-1]
        result = result * (_dot(moved, change) / _dot(change, change))
    for (moved, change), share in zip(pairs, reversed(shares), strict=True):
        result = result + (share - _dot(change, result) / _dot(moved, change)) * moved
    return result


def _dot(left: Tensor, right: Tensor) -> Tensor:
    return torch.dot(left.flatten(), right.flatten())
