"""The languages that members may choose, and commands as a client in one of them shows them.

Source: Discord's documentation, "Locales" and "Application Commands: Localization".
"""

from sandbox.replies import Payload

LOCALES = (
    "id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu", "nl",
    "no", "pl", "pt-BR", "ro", "fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi",
    "th", "zh-CN", "ja", "zh-TW", "ko",
)  # fmt: skip


def spoken(part: Payload, locale: str) -> Payload:
    """Return a command, an option or a choice with what it is called in a locale, where it is.

    Discord says so in ``name_localized`` and ``description_localized``; the name stays beside it.
    """
    said = {
        f"{field}_localized": part[f"{field}_localizations"][locale]
        for field in ("name", "description")
        if locale in (part.get(f"{field}_localizations") or {})
    }
    inner = {
        field: [spoken(each, locale) for each in part[field]]
        for field in ("options", "choices")
        if part.get(field)
    }
    return {**part, **said, **inner}
