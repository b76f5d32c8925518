"""LoRA: small changes to a checkpoint's weights, asked for by name with every request.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (ICLR 2022). diffusers reads the
files, whoever wrote them, and peft calculates beside the weights instead of changing them: so
without any, the networks' answers are those of the checkpoint, to the bit.
"""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.utils import logging as diffusers_logging
from diffusers.utils import peft_utils
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers.utils import logging as transformers_logging

from generation.checkpoints import Checkpoint
from generation.errors import InvalidRequestError
from generation.loras import Lora, lora_file

MAX_LOADED = 8

# The readers of damaged or foreign files raise all of these.
MISFITS = (
    SafetensorError, OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError,
    IndexError,
)  # fmt: skip


class Adapters:
    """The LoRA that lie beside a checkpoint's weights, and which of them count now.

    Args:
        models_dir: the operator's folder, with their files.
        forgetting: told before one is let go of, for what refers to its place in memory.
    """

    def __init__(
        self, checkpoint: Checkpoint, *, models_dir: Path, forgetting: Callable[[], None]
    ) -> None:
        self._checkpoint = checkpoint
        self._models_dir = models_dir
        self._forgetting = forgetting
        self._loaded: OrderedDict[Hashable, str] = OrderedDict()
        self._serials = count()
        self._used: tuple[Lora, ...] | None = ()

    def use(self, loras: tuple[Lora, ...]) -> None:
        """Have the checkpoint's networks calculate with these and no others.

        Raises:
            InvalidRequestError: one is not there, or does not fit the checkpoint.
        """
        if loras == self._used:
            return
        if len(loras) > MAX_LOADED:
            raise InvalidRequestError(f"at most {MAX_LOADED} LoRA can be combined")
        for lora in loras:
            self._require(lora, wanted=[each.file for each in loras])
        library: Any = peft_utils
        known = {self._loaded[lora.file]: lora.weight for lora in loras}
        for network in self._networks:
            here = {name: known[name] for name in known if name in _adapters(network)}
            library.set_adapter_layers(network, enabled=bool(here))
            if here:
                library.set_weights_and_activate_adapters(network, list(here), list(here.values()))
        self._used = loras

    def keep(self, wanted: Collection[Hashable]) -> None:
        """Let go of all files but these; they are loaded again when they are asked for."""
        for file in [each for each in self._loaded if each not in wanted]:
            # Those in use may be among them; the next use says anew which are.
            self._used = None
            self._forget(file)

    def _forget(self, file: Hashable) -> None:
        self._forgetting()
        with quiet():
            library_of(self._checkpoint).delete_adapters(self._loaded.pop(file))

    @property
    def loaded(self) -> frozenset[Hashable]:
        """The files that lie beside the weights now."""
        return frozenset(self._loaded)

    @property
    def _networks(self) -> list[nn.Module]:
        model = self._checkpoint
        found = (model.denoiser, model.text_encoder, model.text_encoder_2)
        return [network for network in found if network is not None]

    def _require(self, lora: Lora, *, wanted: Sequence[Hashable]) -> None:
        """Load one if it is not there; of too many, let go of the one that was longest unused."""
        if lora.file not in self._loaded:
            # Whatever becomes of this, it is not said any more which of them are in use.
            self._used = None
            adapter = f"lora_{next(self._serials)}"
            file = lora_file(lora.name, models_dir=self._models_dir)
            _load(self._checkpoint, file, adapter=adapter)
            self._loaded[lora.file] = adapter
        self._loaded.move_to_end(lora.file)
        while len(self._loaded) > MAX_LOADED:
            self._forget(next(each for each in self._loaded if each not in wanted))


def _load(model: Checkpoint, file: Path, *, adapter: str) -> None:
    """Lay a LoRA beside a checkpoint's weights; nothing is left of one that does not fit."""
    library = library_of(model)
    try:
        if model.DENOISER == "transformer":
            _require_beside(_tensors(library, file), network=model.denoiser)
        with quiet():
            library.load_lora_weights(
                file.parent, weight_name=file.name, adapter_name=adapter,
                local_files_only=True, use_safetensors=True,
            )  # fmt: skip
        _place(model, adapter, wanted=len(_tensors(library, file)))
    except MISFITS as err:
        with quiet():
            library.delete_adapters(adapter)
        if isinstance(err, torch.OutOfMemoryError):
            raise
        raise InvalidRequestError(
            f"the LoRA {file.stem} does not fit {model.name}: it was made for another kind of model"
        ) from err


def _place(model: Checkpoint, adapter: str, *, wanted: int) -> None:
    """Move a LoRA's tensors to where the checkpoint's are.

    Raises:
        ValueError: fewer are there than wanted, or none is.
        NotImplementedError: one has no numbers.
    """
    networks = (model.denoiser, model.text_encoder, model.text_encoder_2)
    laid = [
        value
        for network in networks
        if network is not None
        for name, value in network.named_parameters()
        if f".{adapter}." in name
    ]
    if len(laid) < max(1, wanted):
        raise ValueError("a part of it has no place here")
    for value in laid:
        # Without a copy they may lie in the file, which somebody may write anew.
        value.data = value.data.to(model.device, model.dtype, copy=True)
        value.requires_grad = False


@contextmanager
def quiet() -> Iterator[None]:
    """Have the libraries not complain of what is meant: several LoRA, a part without the rest."""
    said, said_here = transformers_logging.get_verbosity(), diffusers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    diffusers_logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            for meant in ("Already found a `peft_config`", "Adapter .* was active which is now"):
                warnings.filterwarnings("ignore", message=meant)
            yield
    finally:
        transformers_logging.set_verbosity(said)
        diffusers_logging.set_verbosity(said_here)


def _require_beside(tensors: Mapping[str, Tensor], *, network: nn.Module) -> None:
    """Refuse what would not lie beside a transformer's weights but change them.

    Of LoRA that tell FLUX edges or depths diffusers widens the layer that sees the latents, and
    replaces norms: for everybody, and for good.

    Raises:
        ValueError: a tensor is no LoRA's, or sees more than its layer does.
        AttributeError: there is no such layer.
    """
    start, end = "transformer.", ".lora_A.weight"
    for name, tensor in tensors.items():
        if not name.startswith(start):
            continue
        if "lora" not in name:
            raise ValueError(f"{name} would take the place of a weight")
        layer: Any = network.get_submodule(name.removeprefix(start).partition(".lora_")[0])
        if name.endswith(end) and tensor.shape[1] != layer.weight.shape[1]:
            raise ValueError(f"{name} does not see what its layer does")


def _tensors(library: Any, file: Path) -> Mapping[str, Tensor]:  # noqa: ANN401 - diffusers' own
    """Return a file's tensors that belong beside weights, by diffusers' names for them."""
    state = library.lora_state_dict(
        file.parent, weight_name=file.name, local_files_only=True, use_safetensors=True
    )
    tensors = state[0] if isinstance(state, tuple) else state
    return {name: tensor for name, tensor in tensors.items() if "alpha" not in name}


def _adapters(network: nn.Module) -> Sequence[str]:
    return list(getattr(network, "peft_config", {}))


def library_of(model: Checkpoint) -> Any:  # noqa: ANN401 - diffusers' own
    """Return diffusers' pipeline of a checkpoint's networks, which knows files of LoRA.

    It is put together without its constructor, which mends what it takes for an old scheduler.
    """
    kind: Any = getattr(diffusers, model.library)
    parts = {
        model.DENOISER: model.denoiser,
        "text_encoder": model.text_encoder,
        "text_encoder_2": model.text_encoder_2,
    }
    library = kind.__new__(kind)
    expected, _ = kind._get_signature_keys(kind)
    library.register_modules(**{name: parts.get(name) for name in expected})
    return library
