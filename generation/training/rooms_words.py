"""What painted rooms are furnished in: styles, colours, floors, lights; and the words for all that.

Plain tables, so that the words can be offered where nothing is painted.
"""

from dataclasses import dataclass
from typing import TypeAlias

Colour: TypeAlias = tuple[float, float, float]

KIND_NAMES = ("living room", "bedroom", "kitchen", "bathroom", "study", "dining room")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What a style is furnished in."""

    woods: tuple[Colour, ...]
    fabrics: tuple[Colour, ...]
    frame: Colour
    floors: tuple[str, ...]
    wall: str = "plain"


STYLES: dict[str, Style] = {
    "scandinavian": Style(
        woods=((0.86, 0.74, 0.56), (0.93, 0.9, 0.85)),
        fabrics=((0.8, 0.79, 0.76), (0.9, 0.87, 0.8)),
        frame=(0.72, 0.56, 0.38),
        floors=("light wood floor", "light wood floor", "carpet"),
    ),
    "modern": Style(
        woods=((0.24, 0.22, 0.22), (0.9, 0.9, 0.9)),
        fabrics=((0.36, 0.38, 0.42), (0.85, 0.85, 0.85)),
        frame=(0.12, 0.12, 0.13),
        floors=("concrete floor", "light wood floor", "tiled floor"),
    ),
    "industrial": Style(
        woods=((0.42, 0.28, 0.18), (0.3, 0.26, 0.24)),
        fabrics=((0.52, 0.31, 0.18), (0.34, 0.33, 0.33)),
        frame=(0.15, 0.14, 0.14),
        floors=("dark wood floor", "concrete floor"),
        wall="bricks",
    ),
    "classic": Style(
        woods=((0.46, 0.26, 0.16), (0.36, 0.2, 0.13)),
        fabrics=((0.84, 0.78, 0.66), (0.5, 0.24, 0.22)),
        frame=(0.68, 0.52, 0.26),
        floors=("dark wood floor", "dark wood floor", "carpet"),
        wall="panels",
    ),
    "mediterranean": Style(
        woods=((0.6, 0.4, 0.24), (0.88, 0.86, 0.82)),
        fabrics=((0.93, 0.9, 0.84), (0.74, 0.62, 0.48)),
        frame=(0.5, 0.33, 0.2),
        floors=("tiled floor", "tiled floor", "light wood floor"),
    ),
}

WALLS: dict[str, Colour] = {
    "white walls": (0.93, 0.92, 0.9),
    "beige walls": (0.86, 0.79, 0.68),
    "grey walls": (0.64, 0.66, 0.68),
    "blue walls": (0.47, 0.62, 0.78),
    "green walls": (0.52, 0.68, 0.55),
    "pink walls": (0.9, 0.7, 0.7),
    "yellow walls": (0.93, 0.83, 0.5),
    "terracotta walls": (0.78, 0.5, 0.38),
}

ACCENTS: dict[str, Colour] = {
    "red accents": (0.78, 0.18, 0.16),
    "orange accents": (0.9, 0.5, 0.16),
    "yellow accents": (0.93, 0.76, 0.22),
    "green accents": (0.26, 0.52, 0.3),
    "teal accents": (0.12, 0.52, 0.54),
    "blue accents": (0.18, 0.34, 0.66),
    "purple accents": (0.48, 0.27, 0.58),
    "pink accents": (0.87, 0.45, 0.57),
}

FLOORS: dict[str, Colour] = {
    "light wood floor": (0.78, 0.62, 0.43),
    "dark wood floor": (0.42, 0.27, 0.18),
    "concrete floor": (0.6, 0.6, 0.6),
    "tiled floor": (0.8, 0.68, 0.56),
    "carpet": (0.74, 0.7, 0.66),
}

SKIES: dict[str, tuple[Colour, Colour]] = {
    "daylight": ((0.45, 0.68, 0.92), (0.86, 0.94, 0.98)),
    "sunset": ((0.5, 0.42, 0.62), (1.0, 0.66, 0.36)),
    "evening": ((0.05, 0.07, 0.2), (0.16, 0.2, 0.4)),
}
"""Light, and what the sky outside is like: its upper and its lower colour."""

EXTRAS = ("plants", "rug", "pictures")
CAPTIONED = 0.55
"""How often each extra is in a room."""

ROOM_WORDS = (*KIND_NAMES, *STYLES, *WALLS, *ACCENTS, *FLOORS, *SKIES, *EXTRAS)
"""What a room may be asked to be and to have."""
