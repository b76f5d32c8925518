"""What the engine asks of a pipeline: rows that advance step by step."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeVar

from generation.memory import Place, Plan
from generation.request import ImageRequest, Note, Pixels

Dtype = Literal["auto", "float32", "float16", "bfloat16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """What an engine process is started with.

    Args:
        device: a torch device, "cpu" or "cuda:0"; "auto" takes the GPU when there is one.
        dtype: what networks calculate in; "auto" is float32 on a CPU, and on a GPU the half
            precision that a checkpoint's family is published in.
        threads: torch's threads on a CPU; fixed, because bytes may differ across counts.
        models_dir: folder with the operator's checkpoints.
        exact: whether every call of a bucket is padded to one shape, so that a picture's bytes do
            not depend on who shared its calls. Otherwise calls have the smallest allowed shape
            that holds their rows, which is faster and may change a picture by 1/255.
        batch_rows: the most denoiser rows of one call, and in exact mode its one shape; None is
            what the profile says. Without a profile it is one request's rows in exact mode, so
            that requests share no calls.
        vae_rows: pictures of one call of a model's codec, and in exact mode its one shape; None
            is what the profile says, 1 without.
        profile: whether a model's calls are measured when it is loaded; None is on a GPU.
        profiles: the file in which that is kept.
        kept_bytes: of encoded pictures that a model keeps, to encode none of them twice; of
            prompts it keeps a quarter of that, and of pictures that others are to be like.
        device_bytes: of models on the device; None is three quarters of what is free there, and
            on a CPU half of the memory.
        host_bytes: of models that wait in the host's memory for their return to the device; None
            is half of the memory beside a GPU, and nothing on a CPU.
        memory_bytes: that one model may take of a device, its work included; None is nine tenths
            of what is free there.
        plans: the file in which is kept what pictures depend on of how models find room; None
            chooses it by the device's whole memory.
        place: what there is room for, as the engine found it when it first asked; None asks.
        station: whose engine it is.
        stations: how many serve the same queue, each on its device.
    """

    device: str = "auto"
    dtype: Dtype = "auto"
    threads: int = 1
    models_dir: Path = Path("data/models")
    exact: bool = True
    batch_rows: int | None = None
    vae_rows: int | None = None
    profile: bool | None = None
    profiles: Path | None = None
    kept_bytes: int = 128 * 2**20
    device_bytes: int | None = None
    host_bytes: int | None = None
    memory_bytes: int | None = None
    plans: Path | None = None
    place: Place | None = None
    station: str = ""
    stations: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a retired row leaves: its picture, remarks and the parameters settled on."""

    image: Pixels
    notes: tuple[Note, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()


class Row(Protocol):
    """One request inside an engine.

    ``bucket`` says which rows may advance in one call (same model, size and dtype).
    ``step`` counts the steps done; the row is retired when it reaches ``total_steps``. All of it
    but ``step`` stays as it is while the row lives, save ``bucket`` when the pipeline is told to
    ``shrink`` its calls.
    """

    @property
    def request(self) -> ImageRequest:
        """The request it came from."""

    @property
    def bucket(self) -> Hashable:
        """Rows of equal buckets may advance together."""

    @property
    def width(self) -> int:
        """Rows that it takes in one call of the model: as many as its guidance needs, else 1."""

    @property
    def step(self) -> int:
        """Steps done."""

    @property
    def total_steps(self) -> int:
        """Steps to do; 0 when the input is the answer."""


RowT = TypeVar("RowT", bound=Row)


class Pipeline(Protocol[RowT]):
    """A loaded method. It keeps its weights and caches; everything else is in its rows.

    Its weights are on the device, unless it has been told to ``put_away``: then nothing is asked
    of it before ``bring``.
    """

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Self:
        """Load a checkpoint, or set the method up.

        Raises:
            ModelUnavailableError: the checkpoint is missing or incomplete.
        """

    @property
    def weight_bytes(self) -> int:
        """Bytes that its weights take, parameters and buffers."""

    @property
    def counted(self) -> Mapping[str, int]:
        """What it has counted since it was loaded, by names of ``executor.figures.Counters``."""

    def put_away(self) -> None:
        """Move the weights to the host's memory, and let go of what else is on the device."""

    def bring(self) -> None:
        """Move the weights back to the device."""

    def fetch(self, request: ImageRequest) -> None:
        """Load what a request with a control or a likeness needs beside the model.

        Its admission finds that loaded; nobody is charged for it.

        Raises:
            InvalidRequestError: it is not there, or does not fit.
        """

    def lighten(self, rows: Sequence[RowT]) -> None:
        """Let go of what was loaded beside the model and none of these rows uses.

        Asked when memory is short, with the rows under way; what is let go of is loaded again when
        a request asks for it.
        """

    @property
    def together(self) -> int:
        """Requests that are worth preparing or decoding together; 1 where nothing is gained."""

    def prepare(self, requests: Sequence[ImageRequest]) -> None:
        """Do together what the admissions of these requests have in common.

        Each is admitted afterwards, whether this succeeded or not; it may do nothing.
        """

    def admit(self, request: ImageRequest) -> RowT:
        """Make a row: fit and encode the input, draw the noise from the request's seed.

        Raises:
            InvalidRequestError: the request does not fit this pipeline.
        """

    def capacity(self, row: RowT) -> int:
        """Return how many model rows one call of the row's bucket holds, at least its width."""

    def padded(self, rows: Sequence[RowT]) -> int:
        """Return how many model rows a call that advances these runs, padding included."""

    def shrink(self, row: RowT) -> bool:
        """Have a row's calls take less memory from now on; return False if they cannot.

        Asked when memory does not suffice for the row even alone.
        """

    def advance(self, rows: Sequence[RowT]) -> None:
        """Take one step with every row; all are of one bucket and fit into its capacity.

        A row's picture does not depend on the others. State changes only after the call that
        may run out of memory, so that a failed call can be repeated.
        """

    def preview(self, row: RowT) -> Pixels | None:
        """Return the picture as it forms, at most 256 px a side, or None."""

    def decode(self, rows: Sequence[RowT]) -> None:
        """Do together what the retirements of these rows, whose steps are done, have in common.

        Each is retired afterwards, whether this succeeded or not; it may do nothing.
        """

    def retire(self, row: RowT) -> Finished:
        """Decode a row whose steps are done, and finish its picture."""


class Loader(Protocol):
    """What a line of the registry names: a pipeline, or who knows which pipeline it takes."""

    @classmethod
    def load(cls, *, model: str, config: EngineConfig) -> Pipeline[Any]:
        """Load a checkpoint, or set a method up.

        Raises:
            ModelUnavailableError: the checkpoint is missing or incomplete.
        """

    @classmethod
    def weigh(cls, *, model: str, config: EngineConfig) -> int:
        """Return about how many bytes the weights will take on the device.

        Raises:
            ModelUnavailableError: the checkpoint is missing or damaged.
        """

    @classmethod
    def plan(cls, *, model: str, config: EngineConfig) -> Plan | None:
        """Return how a checkpoint will be held, by what there is room for; None without weights.

        Raises:
            ModelUnavailableError: the checkpoint is missing or damaged.
            ModelTooLargeError: it finds no room; the sentence has the figures.
        """

    @classmethod
    def files(cls, *, model: str, config: EngineConfig) -> Sequence[Path]:
        """Return the files that the weights are read from.

        Raises:
            ModelUnavailableError: the checkpoint is missing.
        """


class OneByOne:
    """For pipelines whose rows share no calls: what the protocol asks about sharing them.

    Without a word of their own they have no weights either.
    """

    together = 1

    @property
    def weight_bytes(self) -> int:
        """0: there are no weights."""
        return 0

    @property
    def counted(self) -> Mapping[str, int]:
        """Nothing."""
        return {}

    @classmethod
    def weigh(cls, *, model: str, config: EngineConfig) -> int:
        """Return 0: there are no weights."""
        del model, config
        return 0

    @classmethod
    def plan(cls, *, model: str, config: EngineConfig) -> Plan | None:
        """Return None: there are no weights that measures are known for."""
        del model, config
        return None

    @classmethod
    def files(cls, *, model: str, config: EngineConfig) -> Sequence[Path]:
        """Return nothing: there are no weights."""
        del model, config
        return ()

    def put_away(self) -> None:
        """Do nothing: there are no weights."""

    def bring(self) -> None:
        """Do nothing: there are no weights."""

    def fetch(self, request: ImageRequest) -> None:
        """Do nothing: admission refuses what is not known here."""

    def lighten(self, rows: Sequence[Row]) -> None:
        """Do nothing: nothing is loaded beside the model."""

    def prepare(self, requests: Sequence[ImageRequest]) -> None:
        """Do nothing: every request is admitted by itself."""

    def decode(self, rows: Sequence[Row]) -> None:
        """Do nothing: every row is retired by itself."""

    def capacity(self, row: Row) -> int:
        """Return the row's own width: its calls hold nobody else."""
        return row.width

    def padded(self, rows: Sequence[Row]) -> int:
        """Return the rows' own widths: nothing is padded."""
        return sum(row.width for row in rows)

    def shrink(self, row: Row) -> bool:
        """Return False: a call of one row cannot be made smaller."""
        del row
        return False
