"""Message components: what Discord refuses, and the defaults it fills in.

Source: Discord's documentation, "Component Reference" and "Using Message Components".
"""

from collections.abc import Callable, Iterator, Sequence

from sandbox.errors import invalid_form
from sandbox.media import SCHEME
from sandbox.replies import Payload

ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT = 5, 6, 7, 8
SECTION, TEXT, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER = 9, 10, 11, 12, 13, 14, 17
LABEL, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX = 18, 19, 21, 22, 23

SELECTS = (STRING_SELECT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT)
TOP_V2 = (ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR, CONTAINER)
IN_CONTAINER = (ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR)
IN_LABEL = (TEXT_INPUT, *SELECTS, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX)

MAX_COMPONENTS = 40
MAX_TEXT = 4000
MAX_ROWS = 5
LINK_STYLE, PREMIUM_STYLE = 5, 6


def walk(components: Sequence[Payload]) -> Iterator[Payload]:
    """Yield every component, parents before their children."""
    for component in components:
        yield component
        yield from walk(component.get("components", ()))
        yield from walk([component[key] for key in ("accessory", "component") if key in component])


def find_component(components: Sequence[Payload], custom_id: str) -> Payload | None:
    """Return the component with this custom id, or None."""
    return next((found for found in walk(components) if found.get("custom_id") == custom_id), None)


def checked_message_components(
    components: Sequence[Payload], *, v2: bool, filenames: frozenset[str]
) -> list[Payload]:
    """Return a message's components with defaults filled in.

    Raises:
        ApiError: 50035 for anything Discord refuses.
    """
    if not v2 and len(components) > MAX_ROWS:
        raise invalid_form("components", message="Must be 5 or fewer in length.")
    allowed = TOP_V2 if v2 else (ROW,)
    filler = _Filler(filenames=filenames)
    filled = filler.fill_all(components, "components", allowed=allowed)
    everything = list(walk(filled))
    if v2 and len(everything) > MAX_COMPONENTS:
        raise invalid_form("components", message="The maximum number of components is 40.")
    _check_text(everything)
    _check_unique(everything)
    return filled


def checked_modal(data: Payload) -> Payload:
    """Return a modal's data with defaults filled in.

    Raises:
        ApiError: 50035 for anything Discord refuses.
    """
    _length(data.get("title"), "data.title", least=1, most=45)
    _length(data.get("custom_id"), "data.custom_id", least=1, most=100)
    components = data.get("components") or []
    if not 1 <= len(components) <= MAX_ROWS:
        raise invalid_form("data.components", message="Must be between 1 and 5 in length.")
    filler = _Filler(filenames=frozenset(), modal=True)
    filled = filler.fill_all(components, "data.components", allowed=(ROW, LABEL, TEXT))
    _check_unique(list(walk(filled)))
    return {"title": data["title"], "custom_id": data["custom_id"], "components": filled}


def _check_text(everything: Sequence[Payload]) -> None:
    total = sum(len(found["content"]) for found in everything if found["type"] == TEXT)
    if total > MAX_TEXT:
        raise invalid_form("components", message="Total text must be 4000 or fewer in length.")


def _check_unique(everything: Sequence[Payload]) -> None:
    names = [found["custom_id"] for found in everything if "custom_id" in found]
    if len(names) != len(set(names)):
        raise invalid_form(
            "components",
            message="Component custom id cannot be duplicated",
            code="COMPONENT_CUSTOM_ID_DUPLICATED",
        )


def _length(value: object, path: str, *, least: int, most: int) -> None:
    if not isinstance(value, str):
        raise invalid_form(path, message="This field is required", code="BASE_TYPE_REQUIRED")
    if not least <= len(value) <= most:
        raise invalid_form(path, message=f"Must be between {least} and {most} in length.")


def _count(values: object, path: str, *, least: int, most: int) -> list[Payload]:
    if not isinstance(values, list) or not least <= len(values) <= most:
        raise invalid_form(path, message=f"Must be between {least} and {most} in length.")
    return values


_Fill = Callable[[Payload, str], Payload]


class _Filler:
    """Checks components one by one, numbering them and filling in their defaults."""

    def __init__(self, *, filenames: frozenset[str], modal: bool = False) -> None:
        self._filenames = filenames
        self._modal = modal
        self._last_id = 0
        fill_select: _Fill = self._select
        self._by_type: dict[int, _Fill] = {
            ROW: self._row,
            BUTTON: self._button,
            TEXT_INPUT: self._text_input,
            SECTION: self._section,
            TEXT: self._text,
            THUMBNAIL: self._thumbnail,
            GALLERY: self._gallery,
            FILE: self._file,
            SEPARATOR: self._separator,
            CONTAINER: self._container,
            LABEL: self._label,
            FILE_UPLOAD: self._file_upload,
            RADIO_GROUP: self._choices,
            CHECKBOX_GROUP: self._choices,
            CHECKBOX: self._checkbox,
        } | dict.fromkeys(SELECTS, fill_select)

    def fill_all(
        self, components: Sequence[Payload], path: str, *, allowed: Sequence[int]
    ) -> list[Payload]:
        return [
            self.fill(component, f"{path}.{index}", allowed=allowed)
            for index, component in enumerate(components)
        ]

    def fill(self, component: Payload, path: str, *, allowed: Sequence[int]) -> Payload:
        kind = component.get("type")
        if not isinstance(kind, int) or kind not in allowed:
            choices = ", ".join(str(found) for found in allowed)
            raise invalid_form(
                f"{path}.type",
                message=f'Value of field "type" must be one of ({choices}).',
                code="UNION_TYPE_CHOICES",
            )
        self._last_id += 1
        base = {"type": kind, "id": component.get("id") or self._last_id}
        return base | self._by_type[kind](component, path)

    def _row(self, component: Payload, path: str) -> Payload:
        children = _count(component.get("components"), f"{path}.components", least=1, most=5)
        if any(child.get("type") in SELECTS for child in children) and len(children) > 1:
            raise invalid_form(f"{path}.components", message="A select needs a row of its own.")
        allowed = (TEXT_INPUT,) if self._modal else (BUTTON, *SELECTS)
        return {"components": self.fill_all(children, f"{path}.components", allowed=allowed)}

    def _button(self, component: Payload, path: str) -> Payload:
        style = component.get("style")
        if not isinstance(style, int) or not 1 <= style <= PREMIUM_STYLE:
            raise invalid_form(f"{path}.style", message="Invalid button style.")
        filled: Payload = {"style": style}
        key = {LINK_STYLE: "url", PREMIUM_STYLE: "sku_id"}.get(style, "custom_id")
        _length(component.get(key), f"{path}.{key}", least=1, most=512 if key == "url" else 100)
        filled[key] = component[key]
        if component.get("label"):
            _length(component["label"], f"{path}.label", least=1, most=80)
        elif not component.get("emoji") and style != PREMIUM_STYLE:
            raise invalid_form(path, message="A button must have a label or an emoji.")
        return filled | _kept(component, "label", "emoji", "disabled")

    def _select(self, component: Payload, path: str) -> Payload:
        _length(component.get("custom_id"), f"{path}.custom_id", least=1, most=100)
        filled: Payload = {
            "custom_id": component["custom_id"],
            "min_values": _given(component, "min_values", default=1),
            "max_values": _given(component, "max_values", default=1),
        }
        if not 0 <= filled["min_values"] <= filled["max_values"] <= 25:
            raise invalid_form(f"{path}.max_values", message="Must be between min_values and 25.")
        if component["type"] == STRING_SELECT:
            filled["options"] = self._options(component, path, most=25)
        keys = ("placeholder", "disabled", "default_values", "channel_types", "required")
        return filled | _kept(component, *keys)

    def _options(self, component: Payload, path: str, *, most: int) -> list[Payload]:
        options = _count(component.get("options"), f"{path}.options", least=1, most=most)
        for index, option in enumerate(options):
            _length(option.get("label"), f"{path}.options.{index}.label", least=1, most=100)
            _length(option.get("value"), f"{path}.options.{index}.value", least=1, most=100)
        values = [option["value"] for option in options]
        if len(values) != len(set(values)):
            raise invalid_form(
                f"{path}.options", message="The specified option value is already used"
            )
        return [
            _kept(option, "label", "value", "description", "emoji", "default") for option in options
        ]

    def _text(self, component: Payload, path: str) -> Payload:
        _length(component.get("content"), f"{path}.content", least=1, most=MAX_TEXT)
        return {"content": component["content"]}

    def _section(self, component: Payload, path: str) -> Payload:
        texts = _count(component.get("components"), f"{path}.components", least=1, most=3)
        accessory = component.get("accessory")
        if not isinstance(accessory, dict):
            raise invalid_form(f"{path}.accessory", message="This field is required")
        return {
            "components": self.fill_all(texts, f"{path}.components", allowed=(TEXT,)),
            "accessory": self.fill(accessory, f"{path}.accessory", allowed=(BUTTON, THUMBNAIL)),
        }

    def _thumbnail(self, component: Payload, path: str) -> Payload:
        return {"media": self._media(component.get("media"), f"{path}.media")} | _described(
            component
        )

    def _gallery(self, component: Payload, path: str) -> Payload:
        items = _count(component.get("items"), f"{path}.items", least=1, most=10)
        return {
            "items": [
                {"media": self._media(item.get("media"), f"{path}.items.{index}.media")}
                | _described(item)
                for index, item in enumerate(items)
            ]
        }

    def _file(self, component: Payload, path: str) -> Payload:
        media = self._media(component.get("file"), f"{path}.file")
        if not media["url"].startswith(SCHEME):
            raise invalid_form(
                f"{path}.file.url", message="A file must be an attachment:// reference."
            )
        return {"file": media, "spoiler": bool(component.get("spoiler"))}

    def _separator(self, component: Payload, path: str) -> Payload:
        spacing = component.get("spacing") or 1
        if spacing not in (1, 2):
            raise invalid_form(f"{path}.spacing", message="Must be 1 or 2.")
        return {"divider": component.get("divider", True) is not False, "spacing": spacing}

    def _container(self, component: Payload, path: str) -> Payload:
        children = _count(
            component.get("components"), f"{path}.components", least=1, most=MAX_COMPONENTS
        )
        return {
            "components": self.fill_all(children, f"{path}.components", allowed=IN_CONTAINER),
            "accent_color": component.get("accent_color"),
            "spoiler": bool(component.get("spoiler")),
        }

    def _media(self, media: object, path: str) -> Payload:
        url = media.get("url") if isinstance(media, dict) else None
        _length(url, f"{path}.url", least=1, most=2048)
        name = str(url).removeprefix(SCHEME)
        if str(url).startswith(SCHEME) and name not in self._filenames:
            raise invalid_form(
                f"{path}.url",
                message=f"The attachment {name} was not found.",
                code="UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND",
            )
        return {"url": url}

    def _label(self, component: Payload, path: str) -> Payload:
        _length(component.get("label"), f"{path}.label", least=1, most=45)
        child = component.get("component")
        if not isinstance(child, dict):
            raise invalid_form(f"{path}.component", message="This field is required")
        filled = {"component": self.fill(child, f"{path}.component", allowed=IN_LABEL)}
        return filled | _kept(component, "label", "description")

    def _text_input(self, component: Payload, path: str) -> Payload:
        _length(component.get("custom_id"), f"{path}.custom_id", least=1, most=100)
        if component.get("style") not in (1, 2):
            raise invalid_form(f"{path}.style", message="Must be 1 or 2.")
        keys = ("custom_id", "style", "label", "min_length", "max_length", "value", "placeholder")
        return _kept(component, *keys) | {"required": component.get("required") is not False}

    def _file_upload(self, component: Payload, path: str) -> Payload:
        _length(component.get("custom_id"), f"{path}.custom_id", least=1, most=100)
        least, most = (
            _given(component, "min_values", default=1),
            _given(component, "max_values", default=1),
        )
        if not 0 <= least <= most <= 10:
            raise invalid_form(f"{path}.max_values", message="Must be between min_values and 10.")
        return {
            "custom_id": component["custom_id"],
            "min_values": least,
            "max_values": most,
            "required": component.get("required") is not False,
        }

    def _choices(self, component: Payload, path: str) -> Payload:
        _length(component.get("custom_id"), f"{path}.custom_id", least=1, most=100)
        filled: Payload = {
            "custom_id": component["custom_id"],
            "options": self._options(component, path, most=10),
            "required": component.get("required") is not False,
        }
        return filled | _kept(component, "min_values", "max_values")

    def _checkbox(self, component: Payload, path: str) -> Payload:
        _length(component.get("custom_id"), f"{path}.custom_id", least=1, most=100)
        return {"custom_id": component["custom_id"], "default": bool(component.get("default"))}


def _given(source: Payload, key: str, *, default: int) -> int:
    # Libraries send null where they mean the default.
    value = source.get(key)
    return default if value is None else int(value)


def _kept(source: Payload, *keys: str) -> Payload:
    return {key: source[key] for key in keys if source.get(key) is not None}


def _described(source: Payload) -> Payload:
    return {"description": source.get("description"), "spoiler": bool(source.get("spoiler"))}
