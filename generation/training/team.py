"""Processes that train one model together, started by torchrun; alone, all of this does nothing.

Stich, "Local SGD Converges Fast and Communicates Little" (ICLR 2019): every process takes steps of
its own and their weights are averaged now and then, which suits a few cores of a busy machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

AGREE_EVERY = 6
"""Steps after which the weights are averaged."""


def join() -> None:
    """Join the team that torchrun started this process for, if it did."""
    if distributed.is_torchelastic_launched():
        distributed.init_process_group("gloo", timeout=timedelta(hours=2))


def rank() -> int:
    """Return this process's number in the team, 0 when alone."""
    return distributed.get_rank() if distributed.is_initialized() else 0


@contextmanager
def first_alone() -> Iterator[None]:
    """Let the first process do something before the others, who find it done."""
    if rank():
        distributed.barrier()
    yield
    if distributed.is_initialized() and not rank():
        distributed.barrier()


def meets(step: int) -> bool:
    """Return whether the team meets after a step; alone, after every step."""
    return not distributed.is_initialized() or step % AGREE_EVERY == 0


def anyone(*wishes: bool) -> tuple[bool, ...]:
    """Return for each wish whether anyone of the team has it; only where the team meets."""
    if not distributed.is_initialized():
        return wishes
    flags = torch.tensor(wishes, dtype=torch.int32)
    distributed.all_reduce(flags, distributed.ReduceOp.MAX)
    return tuple(bool(flag) for flag in flags)


@torch.no_grad()
def agree(module: nn.Module) -> None:
    """Give every process the mean of all processes' weights."""
    if not distributed.is_initialized():
        return
    weights = list(module.parameters())
    flat = torch.cat([weight.reshape(-1) for weight in weights])
    distributed.all_reduce(flat)
    mean: Tensor = flat / distributed.get_world_size()
    parts = torch.split(mean, [weight.numel() for weight in weights])
    for weight, part in zip(weights, parts, strict=True):
        weight.copy_(part.view(weight.shape))
