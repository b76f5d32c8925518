"""Why something was refused or failed, in the language of whoever reads it."""

from collections import Counter
from collections.abc import Mapping

import generation.errors as generation_errors
import storage.errors as storage_errors
from bot.prompts import shown
from bot.texts import Phrase, load_texts
from generation.errors import GenerationError, InvalidRequestError
from storage.errors import StorageError


def reason_of(error: InvalidRequestError) -> Phrase | str:
    """Return what an error says; names in it come from members and are made harmless."""
    if not error.why:
        return shown(str(error))
    return Phrase(f"reason.{error.why}", {name: _told(it) for name, it in error.values.items()})


def error_named(name: str | None) -> type[BaseException]:
    """Return the kind of error that a job was failed with, by the name that was kept."""
    for module, root in ((generation_errors, GenerationError), (storage_errors, StorageError)):
        found = getattr(module, name or "", None)
        if isinstance(found, type) and issubclass(found, root):
            return found
    return Exception


def cause_of(name: str) -> Phrase:
    """Return in a few words why jobs failed, by the name of the error, or of what it is one of."""
    texts = load_texts()
    keys = (f"cause.{ancestor.__name__}" for ancestor in error_named(name).__mro__)
    return Phrase(next((key for key in keys if key in texts), "cause.Exception"))


def causes_of(counts: Mapping[str, int]) -> list[tuple[Phrase, int]]:
    """Return why jobs failed and how many, the most frequent first; what reads alike is one."""
    found = Counter[str]()
    for name, count in counts.items():
        found[cause_of(name).key] += count
    return [(Phrase(key), count) for key, count in found.most_common()]


def _told(value: object) -> object:
    if isinstance(value, InvalidRequestError):
        return reason_of(value)
    if isinstance(value, tuple):
        return tuple(map(_told, value))
    return shown(value) if isinstance(value, str) else value
