"""An order as the engine is asked what it costs, and as the job that is written down."""

from collections.abc import Mapping
from datetime import timedelta

from bot.orders import CONTROL_FROM, Order, Origin, Parameters
from generation.request import UNREAD, Canvas, Control, ImageRequest, Like, Pixels
from storage.clock import utc_now
from storage.dead_letters import NONCE_LENGTH
from storage.policies import Standing
from storage.records import NewJob

LAST_WORD = timedelta(minutes=1)
"""So long before a token is over the member hears that there will be no picture."""


def probe_of(order: Order, origin: Origin) -> ImageRequest:
    """Return a request of the order's size, to ask what one costs and how long it would wait.

    Of the pictures beside its own it tells that they are there, and nothing else.
    """
    width, height = order.size
    beside = dict.fromkeys(order.beside, UNREAD)
    image: Pixels | Canvas
    if isinstance(order.image, Canvas):
        image = order.image
    else:
        image = Pixels(width=width, height=height, data=bytes(width * height * 3))
    return ImageRequest(
        job_id="probe",
        pipeline=order.pipeline,
        image=image,
        mask=beside.get("mask") or (UNREAD if order.ratio is not None else None),
        control=control_of(order.control, beside),
        like=like_of(beside, strength=order.like_strength),
        prompt=order.prompt,
        strength=order.strength,
        num_inference_steps=order.num_inference_steps,
        seed=order.seed,
        model=order.model,
        guild=origin.guild_id or 0,
        member=origin.member_id,
    )


def control_of(told: str | None, beside: Mapping[str, Pixels]) -> Control | None:
    """Return the control that is told in words, with its picture among those beside it.

    Raises:
        InvalidRequestError: no ControlNet could follow it.
    """
    if not told:
        return None
    ready = beside.get("control")
    picture = beside.get(CONTROL_FROM) if ready is None else ready
    return Control.told(told, picture=picture, ready=ready is not None)


def like_of(beside: Mapping[str, Pixels], *, strength: float) -> Like | None:
    """Return what a picture is to be like, None without such a picture."""
    picture = beside.get("like")
    return None if picture is None else Like(picture=picture, weight=strength)


def new_job(
    job_id: str,
    order: Order,
    origin: Origin,
    *,
    reserve_ms: int,
    standing: Standing,
    deadline_s: float,
    acknowledged_by: str | None = None,
) -> NewJob:
    """Return the job as it is accepted.

    Where only the interaction's token reaches the member, it is over before that is.
    """
    deadline_at = utc_now() + timedelta(seconds=deadline_s)
    if not origin.reachable:
        deadline_at = min(deadline_at, origin.token_expires_at - LAST_WORD)
    return NewJob(
        id=job_id,
        interaction_id=origin.interaction_id,
        guild_id=origin.guild_id,
        channel_id=origin.channel_id,
        member_id=origin.member_id,
        command=order.command,
        pipeline=order.pipeline,
        model=order.model,
        prompt=order.prompt,
        parameters=Parameters.of(order, origin).to_json(),
        seed=order.seed,
        inputs=order.inputs,
        reserve_ms=max(1, reserve_ms),
        interaction_token=origin.token,
        token_expires_at=origin.token_expires_at,
        parent_id=order.parent_id,
        nonce=job_id[:NONCE_LENGTH],
        locale=origin.locale,
        standing=standing,
        deadline_at=deadline_at,
        acknowledged_by=acknowledged_by,
    )
