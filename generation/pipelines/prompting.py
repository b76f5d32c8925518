"""What a denoiser is told of a request: its words, and what else its family wants to know.

Prompts that were read once are kept: presets and second tries make most of them.
"""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from compel.embeddings_provider import EmbeddingsProvider, ReturnedEmbeddingsType
from torch import Tensor

from generation.checkpoints import Checkpoint, Embedding
from generation.errors import InvalidRequestError
from generation.loras import Lora
from generation.pipelines.adapters import Adapters
from generation.pipelines.autoencoding import Encoded
from generation.pipelines.denoising import Guidance
from generation.pipelines.kept import Kept, digest
from generation.prompts import Fragment, fragments_of, unweighted
from generation.request import Canvas, Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What each row of guidance is told, in the order it combines them.

    Args:
        conditions: by the denoiser's names for them: SDXL's pooled embeddings and sizes, a
            distilled denoiser's guidance.

    Shape:
        - words: ``(rows, length, width)``.
        - conditions: each ``(rows, ...)``.
    """

    words: Tensor
    conditions: Mapping[str, Tensor]


class Prompts:
    """Reads prompts with a checkpoint's text encoders, and keeps what they were read as.

    Args:
        adapters: the LoRA that text encoders read with.
    """

    def __init__(self, checkpoint: Checkpoint, *, adapters: Adapters, max_bytes: int) -> None:
        self._checkpoint = checkpoint
        self._adapters = adapters
        self._kept: Kept[Embedding] = Kept(max_bytes=max_bytes, size_of=_size)

    @property
    def counted(self) -> Mapping[str, int]:
        """Prompts that were kept, and prompts that were not."""
        return {"prompt_hits": self._kept.hits, "prompt_misses": self._kept.misses}

    def clear(self) -> None:
        """Keep nothing of what was read."""
        self._kept.clear()

    def told(
        self,
        prompt: str,
        *,
        negative: str,
        loras: tuple[Lora, ...],
        guidance: Guidance,
        encoded: Encoded,
        image: Pixels | Canvas,
    ) -> Told:
        """Return what the denoiser is told of words that go with a picture, or a canvas.

        Raises:
            InvalidRequestError: a LoRA does not fit, or words weigh where the family's may not.
        """
        model = self._checkpoint
        read = partial(self._read, loras=loras, source=encoded.source, image=image)
        rows = [read(prompt, negative=False)]
        if guidance.rows > 1:
            without = read(negative, negative=True)
            rows = [without, *rows] if guidance.rows == 2 else [*rows, without, without]
        conditions = model.conditions(
            rows,
            size=encoded.latents.shape[-2:],
            scale=guidance.text if guidance.inside else None,
        )
        return Told(words=model.side_by_side(rows), conditions=conditions)

    def _read(
        self,
        prompt: str,
        *,
        loras: tuple[Lora, ...],
        negative: bool,
        source: Tensor,
        image: Pixels | Canvas,
    ) -> Embedding:
        key: Hashable = (prompt, loras, negative)
        if self._checkpoint.SEES and isinstance(image, Pixels):
            key = (key, digest(image))
        found = self._kept.get(key)
        if found is None:
            model = self._checkpoint
            self._adapters.use(loras)
            fragments, plain = fragments_of(prompt), unweighted(prompt)
            weighed = any(each.weight != 1 and each.text.strip() for each in fragments)
            if weighed and not model.family.weighs_words:
                raise InvalidRequestError(f"{model.name} reads prompts without weights of words")
            found = model.read(plain, source=source, negative=negative)
            if weighed:
                found = replace(found, words=weighed_words(model, fragments))
            self._kept.put(key, found)
        return found


def weighed_words(model: Checkpoint, fragments: Sequence[Fragment]) -> Tensor:
    """Return the embedding of a prompt whose parts have weights, as compel makes it.

    More weight goes away from an empty prompt's embedding, less towards that of the prompt without
    the part.

    Shape:
        - returns: ``(1, length, width)``.
    """
    large = model.denoiser.config.addition_embed_type == "text_time"
    # Compel drops a start that a prompt spells out, and then does not find the fragment again;
    # without any fragment it fails.
    start = re.compile(re.escape(model.tokenizer.bos_token or "<|startoftext|>"), re.IGNORECASE)
    spelt = [(start.sub(" ", each.text), each.weight) for each in fragments]
    said = [(text, weight) for text, weight in spelt if text.strip()] or [(",", 1.0)]
    kinds = ReturnedEmbeddingsType
    encoders = (
        (model.text_encoder, model.tokenizer), (model.text_encoder_2, model.tokenizer_2)
    )  # fmt: skip
    found = [
        EmbeddingsProvider(
            tokenizer,
            encoder,
            returned_embeddings_type=kinds.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED
            if large
            else kinds.LAST_HIDDEN_STATES_NORMALIZED,
            device=model.device,
            model_max_length=model.max_tokens,
        ).get_embeddings_for_weighted_prompt_fragments(
            [[text for text, _ in said]],
            [[weight for _, weight in said]],
            device=model.device,
        )
        for encoder, tokenizer in encoders
        if encoder is not None and tokenizer is not None
    ]
    return torch.cat(found, dim=-1).to(model.dtype)


def _size(embedding: Embedding) -> int:
    return embedding.words.nbytes + (0 if embedding.pooled is None else embedding.pooled.nbytes)
