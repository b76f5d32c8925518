"""Another picture like one that is there: how far it goes, and which words it is asked with."""

import random

from bot.orders import Order, Picture, any_seed
from bot.services import Services
from bot.texts import Voice

AMOUNTS = {"subtle": 0.35, "strong": 0.7}
"""Strengths by what members call them."""
INSTRUCTION = "a variation of this picture"
"""What models are told that are told everything."""


def variation(
    services: Services,
    voice: Voice,
    image: Picture,
    *,
    amount: str,
    prompt: str = "",
    negative_prompt: str = "",
    model: str | None = None,
    parent_id: str | None = None,
) -> Order:
    """Return the order for a variation of a picture.

    A model that takes any words is given those the picture was made with, if there are any. One
    that knows a few edits would change nothing without them: it is given one of these, drawn by
    the seed, and the reply names it.

    Args:
        services: the bot's.
        voice: the language of whoever asks.
        image: the picture to vary.
        amount: a key of ``AMOUNTS``; Discord sends no other.
        prompt: the words that the picture was made with.
        negative_prompt: the words that it was made without.
        model: the checkpoint; that of ``/remix`` if None.
        parent_id: the job whose result it is.

    Raises:
        UnknownModelError, UnusableModelError: no such model can be used.
    """
    pipeline = services.models.pipeline_of(model)
    services.models.require(pipeline, model)
    seed = any_seed()
    entry = services.models.chosen("remix", model) if pipeline == "remix" else None
    if entry is not None and entry.words:
        prompt = random.Random(seed).choice(entry.words)  # noqa: S311 -- the seed's own choice
    elif entry is not None and entry.family.edits:
        prompt = prompt or INSTRUCTION
    return Order(
        command="vary",
        pipeline=pipeline,
        image=image,
        prompt=prompt,
        negative_prompt=negative_prompt,
        subject=" \u00b7 ".join(filter(None, (voice.say(f"amount.{amount}"), prompt))),
        strength=AMOUNTS[amount],
        seed=seed,
        model=model,
        parent_id=parent_id,
    )
