"""Write PNG files in a hurry: what is kept is read far less often than it is written."""

import zlib
from collections.abc import Mapping
from io import BytesIO

from PIL import Image, PngImagePlugin

# Keys of PNG texts have at most 79 bytes (PNG, third edition, 11.3.3.2).
MAX_KEY = 79


def encode_png(image: Image.Image, *, texts: Mapping[str, str] | None = None) -> bytes:
    """Return a picture as a PNG file.

    Args:
        image: the picture; nothing but its pixels is written.
        texts: written as iTXt, which holds any language; keys are cut to 79 bytes.
    """
    info = PngImagePlugin.PngInfo()
    for key, text in (texts or {}).items():
        info.add_itxt(key.encode("ascii", "replace").decode()[:MAX_KEY], text)
    buffer = BytesIO()
    # Looking for runs alone, zlib takes a tenth less time than at level 1, and a tenth fewer bytes.
    image.save(buffer, "PNG", compress_level=1, compress_type=zlib.Z_RLE, pnginfo=info)
    return buffer.getvalue()
