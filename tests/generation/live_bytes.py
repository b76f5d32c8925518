"""How many bytes of tensors are alive at once while something is calculated."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the storages that operations make, until nobody refers to them any more.

    Attributes:
        peak: the most bytes that were alive at once.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._alive: set[int] = set()
        self._now = 0
        self.peak = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the operation returns
        given = {
            it.untyped_storage()._cdata
            for it in tree_iter((args, kwargs))
            if isinstance(it, torch.Tensor)
        }
        made = func(*args, **(kwargs or {}))
        for it in tree_iter(made):
            if isinstance(it, torch.Tensor):
                storage = it.untyped_storage()
                if storage._cdata not in self._alive | given:
                    self._count(storage)
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        size, name = storage.nbytes(), storage._cdata
        self._alive.add(name)
        self._now += size
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._forget, name, size)

    def _forget(self, name: int, size: int) -> None:
        self._alive.discard(name)
        self._now -= size


def peak_of(work: Callable[[], object]) -> int:
    """Return the most bytes of tensors that some work had alive at once."""
    counted = LiveBytes()
    with torch.no_grad(), counted:
        work()
    return counted.peak
