"""What is measured of a picture and an artwork, and the method of style that it suggests.

No model is asked: these are statistics of small versions of both. It is calculated in a codec's
child, where alone NumPy is imported.

Faces are guessed: an upright ellipse of skin (Hsu, Abdel-Mottaleb & Jain, "Face Detection in Color
Images", PAMI 2002, begin so, too) with a darker spot on either side of its upper half, and without
a mirror's lights. Faces in grey pictures, in profile, in odd light, or of under a seventh of the
picture's height are missed; round things of wood or fur may be taken for one. The cost of an error
is another method, never a refusal.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from PIL import Image

from generation.errors import InvalidRequestError
from generation.request import Pixels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Marks = NDArray[np.bool_]

SIDE = 192
"""Of the small versions, the longer one."""
CB, CR = (85.0, 128.0), (136.0, 173.0)
"""Skin in YCbCr (Chai & Ngan, "Face Segmentation Using Skin-Color Map", 1999), a little narrower
than theirs, so that sand and wood fall out sooner."""
FACE_SHARE = (0.015, 0.35)
"""Of the picture, that an ellipse of skin may cover."""
FACE_SHAPE = (0.9, 2.2)
"""Its height by its width."""
FILLED = 0.78
"""The least share of such an ellipse that is skin."""
MATT = 0.55
"""The most that brightness strays within it, by its median: metal and glass reflect more."""
FLAT_STEP = 0.02
"""Neighbours that differ by less than this are flat; of [0, 1]."""


FINE_STROKE = 24.0
"""Strokes up to here, in pixels of 512, are lines or tiles that a picture can be built of."""
FEW_COLOURS, MUCH_FLAT = 30.0, 0.3
PARTLY_FLAT = 0.08
"""From here on an artwork of many colours has areas with borders: glass in lead, washes."""


class Reason(StrEnum):
    """What decided; the bot holds the words."""

    FACE = "face"
    LINES = "lines"
    FLAT = "flat"
    AREAS = "areas"
    PAINTERLY = "painterly"


PREFERENCES: Mapping[Reason, tuple[str, ...]] = {
    Reason.FACE: ("collage", "adain", "gatys", "hybrid"),
    Reason.LINES: ("hybrid", "collage", "gatys", "adain"),
    Reason.FLAT: ("collage", "gatys", "adain", "hybrid"),
    Reason.AREAS: ("gatys", "collage", "adain", "hybrid"),
    Reason.PAINTERLY: ("collage", "gatys", "adain", "hybrid"),
}
"""The methods that suit, the best first; docs/style.md shows why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What was measured.

    Args:
        face: the share of the content that its largest face seems to cover, 0 for none.
        colours: how many colours the artwork's are as good as: e to the entropy of a histogram.
        flat: the share of the artwork whose neighbours are alike.
        stroke: the scale of the artwork's strokes: pixels of a wave if it had 512 a side.
    """

    face: float
    colours: float
    flat: float
    stroke: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A method of style, and what decided for it."""

    method: str
    reason: Reason


def chosen(content: Pixels, artwork: Pixels, able: Collection[str]) -> Choice:
    """Return the method that suits a picture and an artwork best, of those that are able.

    Raises:
        InvalidRequestError: none is.
    """
    return choice_of(traits_of(content, artwork), able=able)


def choice_of(traits: Traits, *, able: Collection[str]) -> Choice:
    """Return the method that suits traits best, of those that are able.

    A face is kept before all else. Then lines and little tiles decide, of which a picture can be
    built; then whether the artwork is of few colours or flat, or has areas with borders, which
    pieces of it would tear.

    Raises:
        InvalidRequestError: none is able.
    """
    if traits.face:
        reason = Reason.FACE
    elif traits.stroke <= FINE_STROKE:
        reason = Reason.LINES
    elif traits.colours <= FEW_COLOURS or traits.flat >= MUCH_FLAT:
        reason = Reason.FLAT
    elif traits.flat >= PARTLY_FLAT:
        reason = Reason.AREAS
    else:
        reason = Reason.PAINTERLY
    method = next((each for each in PREFERENCES[reason] if each in able), None)
    if method is None:
        raise InvalidRequestError("no method of style is able to do that")
    return Choice(method=method, reason=reason)


def traits_of(content: Pixels, artwork: Pixels) -> Traits:
    """Measure a photograph and an artwork."""
    seen, art = _small(content), _small(artwork)
    return Traits(
        face=max(faces(seen), default=0.0),
        colours=colour_count(art),
        flat=flat_share(art),
        stroke=stroke_scale(art),
    )


def colour_count(picture: "Floats") -> float:
    """Return how many colours a picture's are as good as: e to the entropy of an 8^3 histogram.

    A picture of one colour has 1, one of two equal halves 2.

    Shape:
        - picture: ``(H, W, 3)`` in [0, 1].
    """
    import numpy as np

    bins = np.minimum((picture * 8).astype(int), 7) @ np.array([64, 8, 1])
    shares = np.bincount(bins.ravel()) / bins.size
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def flat_share(picture: "Floats") -> float:
    """Return the share of pixels that hardly differ from those right of and below them.

    Shape:
        - picture: ``(H, W, 3)`` in [0, 1].
    """
    import numpy as np

    inner = picture[:-1, :-1]
    right, below = (np.abs(each - inner).max(2) for each in (picture[:-1, 1:], picture[1:, :-1]))
    return float((np.maximum(right, below) < FLAT_STEP).mean())


def stroke_scale(picture: "Floats") -> float:
    """Return the mean length of a picture's waves in pixels of 512, weighed by their strength.

    The amplitude spectrum of natural pictures falls as 1 / f; every octave counts the same then,
    and strokes stand out. What is longer than a quarter of the picture is composition.

    Shape:
        - picture: ``(H, W, 3)`` in [0, 1].
    """
    import numpy as np

    grey = picture.mean(2)
    height, width = grey.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    frequency = np.hypot(rows, columns)
    kept = (frequency > 4 / max(height, width)) & (frequency <= 0.5)
    power, frequency = power[kept], frequency[kept]
    if power.sum() < 1e-9:
        return 512.0
    octave = float((power * np.log2(1 / frequency)).sum() / power.sum())
    return float(2**octave * 512 / SIDE)


def faces(picture: "Floats") -> Iterator[float]:
    """Yield the share of the picture that each thing covers which looks like a face.

    Shape:
        - picture: ``(H, W, 3)`` in [0, 1].
    """
    from scipy import ndimage

    skin = ndimage.binary_opening(skin_of(picture), iterations=1)
    labels, _ = ndimage.label(skin)
    grey = picture.mean(2)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        part = ndimage.binary_fill_holes(labels[box] == number)
        share = float(part.sum()) / labels.size
        if FACE_SHARE[0] <= share <= FACE_SHARE[1] and _is_face(part, grey[box]):
            yield share


def skin_of(picture: "Floats") -> "Marks":
    """Return where a picture has the colour of skin, light or dark.

    Shape:
        - picture: ``(H, W, 3)`` in [0, 1]; returns ``(H, W)``.
    """
    red, green, blue = (255 * picture[..., channel] for channel in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    cb, cr = 128 + 0.564 * (blue - luma), 128 + 0.713 * (red - luma)
    found: Marks = (cb > CB[0]) & (cb < CB[1]) & (cr > CR[0]) & (cr < CR[1]) & (luma > 40)
    return found


def _is_face(part: "Marks", grey: "Floats") -> bool:
    """Tell whether a region is an upright ellipse with eyes."""
    import numpy as np

    rows, columns = np.nonzero(part)
    spread = np.cov(np.stack([rows, columns]))
    tall, wide = 2 * np.sqrt(np.diag(spread))
    if not FACE_SHAPE[0] <= tall / max(wide, 1e-6) <= FACE_SHAPE[1]:
        return False
    ellipse = ((np.arange(part.shape[0])[:, None] - rows.mean()) / tall) ** 2 + (
        (np.arange(part.shape[1]) - columns.mean()) / wide
    ) ** 2 <= 1
    if part[ellipse].mean() < FILLED or ellipse[part].mean() < FILLED:
        return False
    if grey[ellipse].std() > MATT * np.median(grey[ellipse]):
        return False
    sides = np.arange(part.shape[1]) < columns.mean()
    upper = ellipse & (np.arange(part.shape[0])[:, None] < rows.mean())
    eyes = [np.percentile(grey[upper & side], 3) for side in (sides, ~sides)]
    return bool(max(eyes) < 0.7 * np.median(grey[ellipse]))


def _small(pixels: Pixels) -> "Floats":
    import numpy as np

    image = Image.frombytes("RGB", (pixels.width, pixels.height), pixels.data)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(image, np.float32) / np.float32(255)
