"""In which language the admin page speaks to a browser."""

from collections.abc import Sequence


def accepted(header: str, locales: Sequence[str]) -> str | None:
    """Return the locale that a browser likes best of those there are, None if it likes none.

    A range such as ``zh`` is any locale of that language, and so is ``en-GB`` where there is
    nothing nearer (RFC 4647, basic filtering; RFC 9110, "Accept-Language").
    """
    liked = sorted(map(_weighed, header.split(",")), key=lambda it: -it[1])
    for wanted, weight in liked:
        fits = [each for each in locales if each.lower() == wanted]
        fits += [each for each in locales if _language(each) == _language(wanted)]
        if fits and weight > 0:
            return fits[0]
    return None


def _weighed(part: str) -> tuple[str, float]:
    name, _, weight = part.partition(";")
    try:
        return name.strip().lower(), float(weight.strip().removeprefix("q=") or 1)
    except ValueError:
        return name.strip().lower(), 0.0


def _language(locale: str) -> str:
    return locale.lower().partition("-")[0]
