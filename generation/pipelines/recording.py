"""Calls that are recorded once and then played: a CUDA graph in place of hundreds of launches.

A call reads its inputs from fixed places and answers at a fixed place, so that playing it again
repeats the very kernels that were recorded. It goes on as it is while it is cold, wherever it
cannot be recorded, and for good if a recording does not answer with the same bits: so in exact
mode too it does not matter which calls were played.
"""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

COLD_CALLS = 8
WARMING_CALLS = 3

Function = Callable[[], Tensor]

logger = logging.getLogger(__name__)


class Recorded:
    """A function of inputs at fixed places, played from a recording once it pays.

    Its answer lies where the next call puts its own.

    Args:
        record: runs the function a few times, and returns what plays it.
        cold: calls before the first attempt to record, so that rare shapes cost nothing.
    """

    def __init__(
        self,
        function: Function,
        *,
        record: Callable[[Function], Function],
        cold: int = COLD_CALLS,
    ) -> None:
        self._function = function
        self._record = record
        self._cold = cold
        self.playing = False

    def __call__(self) -> Tensor:
        """Return the function's answer to what lies there now."""
        if self._cold == 0:
            self._try_to_record()
        self._cold -= 1
        return self._function()

    def _try_to_record(self) -> None:
        expected = self._function().clone()
        try:
            played = self._record(self._function)
            answer = played()
        # Out of memory, or an operation that cannot be recorded: both are of this class.
        except RuntimeError as err:
            logger.warning("a call cannot be recorded and goes on as it is: %s", err)
            return
        if not bool(((answer == expected) | (answer.isnan() & expected.isnan())).all()):
            logger.warning("a recorded call answers with other bits; it goes on as it is")
            return
        self._function, self.playing = played, True


class GraphRecorder:
    """Records CUDA graphs, which share the memory of what they calculate in between.

    https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs: they may share it because
    they are never played at the same time, and each holds on to its own answer.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        # Memory is shared only among graphs that were recorded on one stream.
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def __call__(self, function: Function) -> Function:
        """Return what plays a function, after running it on a stream of its own to warm it up."""
        with torch.cuda.device(self._device):
            here = torch.cuda.current_stream()
            self._stream.wait_stream(here)
            with torch.cuda.stream(self._stream):
                for _ in range(WARMING_CALLS):
                    function()
            here.wait_stream(self._stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                answer = function()

        def play() -> Tensor:
            graph.replay()
            return answer

        return play


def recorder_for(device: torch.device) -> GraphRecorder | None:
    """Return who records calls on a device; None where launches are not worth recording."""
    return GraphRecorder(device) if device.type == "cuda" else None
