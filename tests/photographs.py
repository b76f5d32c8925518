"""The seven natural colour photographs of scikit-image and scikit-learn, and files as of phones.

They are for tests alone: nothing is ever trained or tuned on them, and the repository holds no
copy. They are read from the installed packages as files, which costs neither import.
"""

from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_PLACES = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}


def photograph_path(name: str) -> Path:
    """Return where the installed package keeps a photograph."""
    package, place = _PLACES[name]
    spec = find_spec(package)
    assert spec is not None, f"{package} is not installed; it belongs to the extra 'dev'"
    assert spec.origin is not None
    return Path(spec.origin).parent / place


def photograph(name: str, *, max_side: int | None = None) -> Image.Image:
    """Return one photograph in RGB, shrunk to ``max_side`` when that is given."""
    with Image.open(photograph_path(name)) as opened:
        picture = opened.convert("RGB")
    if max_side is not None:
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return picture


def photographs(*, max_side: int | None = None) -> dict[str, Image.Image]:
    """Return all seven photographs by name, shrunk to ``max_side`` when that is given."""
    return {name: photograph(name, max_side=max_side) for name in _PLACES}


def phone_pictures() -> dict[str, bytes]:
    """Return files as phones and members send them, made of the photographs."""
    china = photograph("china")
    night = np.asarray(photograph("astronaut", max_side=512), np.float32) / 255
    rng = np.random.default_rng(0)
    noisy = 0.35 * night**1.5 + rng.normal(0, 0.05, night.shape)
    cut = photograph("flower").resize((480, 320))
    alpha = Image.new("L", cut.size)
    ImageDraw.Draw(alpha).ellipse((90, 10, 390, 310), fill=255)
    cut.putalpha(alpha)
    return {
        "turned": _jpeg(photograph("chelsea").rotate(90, expand=True), orientation=6),
        "night": _jpeg(Image.fromarray((noisy.clip(0, 1) * 255).astype(np.uint8)), quality=60),
        "12 MP": _jpeg(photograph("coffee").resize((4000, 3000), Image.Resampling.BICUBIC)),
        "tall": _jpeg(china.crop((150, 0, 390, 427)).resize((1080, 1920))),
        "panorama": _jpeg(china.crop((0, 120, 640, 280)).resize((2048, 512))),
        "screenshot": _png(_screenshot()),
        "grey": _jpeg(photograph("motorcycle", max_side=640).convert("L")),
        "transparent": _png(cut),
        "tiny": _jpeg(photograph("rocket", max_side=64)),
    }


def _jpeg(picture: Image.Image, *, orientation: int = 1, quality: int = 90) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = BytesIO()
    picture.save(out, "JPEG", quality=quality, exif=exif)
    return out.getvalue()


def _png(picture: Image.Image) -> bytes:
    out = BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _screenshot() -> Image.Image:
    """Return a conversation on a phone's screen: flat colours, small letters, a picture in it."""
    screen = Image.new("RGB", (540, 960), (242, 242, 247))
    draw, font = ImageDraw.Draw(screen), ImageFont.load_default(size=22)
    draw.rectangle((0, 0, 540, 90), fill=(255, 255, 255))
    draw.text((200, 32), "Ana, online", fill=(20, 20, 20), font=font)
    lines = ("Did you see the cat today?", "Yes! She sat in the window", "all morning.", "Look:")
    for number, line in enumerate(lines):
        mine = number in (1, 2)
        left, top = (150, 60)[not mine], 120 + 80 * number
        draw.rounded_rectangle(
            (left, top, left + 340, top + 60), 20, fill=(10, 132, 255) if mine else (229, 229, 234)
        )
        draw.text((left + 18, top + 16), line, fill="white" if mine else "black", font=font)
    screen.paste(photograph("chelsea").resize((380, 253)), (60, 460))
    draw.rectangle((0, 890, 540, 960), fill=(255, 255, 255))
    draw.text((30, 912), "Message", fill=(150, 150, 150), font=font)
    return screen
