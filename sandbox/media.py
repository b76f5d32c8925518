"""Pictures: their size from their first bytes, and ``attachment://`` names made addresses."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.replies import Payload

SCHEME = "attachment://"


def image_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG, GIF, JPEG or WEBP, or None for anything else."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack(">II", data[16:24])
        if data[:6] in (b"GIF87a", b"GIF89a"):
            return struct.unpack("<HH", data[6:10])
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
    except (struct.error, IndexError):
        return None
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return (
            int.from_bytes(data[24:27], "little") + 1,
            int.from_bytes(data[27:30], "little") + 1,
        )
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(data):
        marker = data[place + 1]
        length: int = struct.unpack(">H", data[place + 2 : place + 4])[0]
        # SOF markers carry the size; C4, C8 and CC are tables that only look like them.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        place += 2 + length
    return None


@dataclass(slots=True, kw_only=True)
class Resolved:
    """Objects with addresses in them, and the names of the files they use."""

    items: list[dict[str, Any]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)


def resolved_embeds(embeds: Sequence[Payload], files: Mapping[str, Payload]) -> Resolved:
    """Return embeds whose pictures have addresses."""
    resolved = Resolved()
    for embed in embeds:
        shown: Payload = {"type": "rich"} | embed
        for key in ("image", "thumbnail"):
            if key in shown:
                shown[key] = _embed_picture(shown[key], files, used=resolved.used)
        for key in ("footer", "author"):
            icon = shown.get(key, {}).get("icon_url", "")
            if icon.startswith(SCHEME):
                name = icon.removeprefix(SCHEME)
                resolved.used.add(name)
                shown[key] = shown[key] | {"icon_url": files.get(name, {}).get("url", icon)}
        resolved.items.append(shown)
    return resolved


def _embed_picture(picture: Payload, files: Mapping[str, Payload], *, used: set[str]) -> Payload:
    url = str(picture.get("url", ""))
    name = url.removeprefix(SCHEME)
    if not url.startswith(SCHEME) or name not in files:
        return picture
    used.add(name)
    keys = ("url", "proxy_url", "width", "height", "content_type")
    return {key: files[name][key] for key in keys if key in files[name]}


def resolved_components(
    components: Sequence[Payload], files: Mapping[str, Payload]
) -> list[Payload]:
    """Return components whose media have addresses."""
    return [_component(found, files) for found in components]


def _component(component: Payload, files: Mapping[str, Payload]) -> Payload:
    shown = dict(component)
    if "components" in shown:
        shown["components"] = resolved_components(shown["components"], files)
    if "accessory" in shown:
        shown["accessory"] = _component(shown["accessory"], files)
    if "media" in shown:
        shown["media"] = _media_item(shown["media"], files)
    if "items" in shown:
        shown["items"] = [
            item | {"media": _media_item(item["media"], files)} for item in shown["items"]
        ]
    if "file" in shown:
        name = str(component["file"].get("url", "")).removeprefix(SCHEME)
        shown["file"] = _media_item(shown["file"], files)
        shown |= {"name": name, "size": files.get(name, {}).get("size", 0)}
    return shown


def _media_item(item: Payload, files: Mapping[str, Payload]) -> Payload:
    url = str(item.get("url", ""))
    found = files.get(url.removeprefix(SCHEME)) if url.startswith(SCHEME) else None
    if found is None:
        return {"id": "0", "url": url, "proxy_url": url}
    keys = ("url", "proxy_url", "width", "height", "content_type")
    media = {key: found[key] for key in keys if key in found}
    return media | {"id": found["id"], "attachment_id": found["id"]}
