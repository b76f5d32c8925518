"""Why something was refused, as the end of a sentence in the language of whoever reads it."""

from bot.prompts import shown
from bot.texts import Phrase
from generation.errors import InvalidRequestError


def reason_of(error: InvalidRequestError) -> Phrase | str:
    """Return what an error says; names in it come from members and are made harmless."""
    if not error.why:
        return shown(str(error))
    return Phrase(f"reason.{error.why}", {name: _told(it) for name, it in error.values.items()})


def _told(value: object) -> object:
    if isinstance(value, InvalidRequestError):
        return reason_of(value)
    if isinstance(value, tuple):
        return tuple(map(_told, value))
    return shown(value) if isinstance(value, str) else value
