"""Small pictures to send."""

from io import BytesIO

from PIL import Image


def photo(
    *, size: tuple[int, int] = (96, 64), colour: tuple[int, int, int] = (90, 140, 200)
) -> bytes:
    """Return a PNG."""
    buffer = BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()
