"""The words the remix checkpoint is taught, and the sentences they are taught in."""

from collections.abc import Mapping, Sequence

import numpy as np

WORDS: Mapping[str, Sequence[str]] = {
    "night": ("night", "nighttime", "midnight", "moonlight", "moonlit", "evening", "夜晚", "黑夜"),
    "sunset": ("sunset", "dusk", "twilight", "sundown", "日落", "黄昏"),
    "snow": ("snow", "snowy", "winter", "snowfall", "blizzard", "christmas", "雪", "冬天", "下雪"),
    "autumn": ("autumn", "fall", "autumnal", "october", "秋天"),
    "fog": ("fog", "foggy", "mist", "misty", "haze", "hazy", "雾"),
    "rain": ("rain", "rainy", "wet", "drizzle", "raining", "雨", "下雨"),
    "spring": ("spring", "blossom", "springtime", "cherry", "春天"),
    "summer": ("summer", "sunny", "sunshine", "sun", "夏天", "晴天"),
    "golden": ("golden", "warm", "amber", "honey", "金色"),
    "ice": ("ice", "icy", "frozen", "frost", "cold", "冰"),
    "vintage": ("vintage", "sepia", "retro", "antique", "old", "复古"),
    "noir": ("noir", "monochrome", "grayscale", "greyscale", "black", "white", "黑白"),
    "storm": ("storm", "stormy", "thunderstorm", "dramatic", "gloomy", "暴风雨"),
    "dawn": ("dawn", "sunrise", "pink", "morning", "日出", "清晨"),
    "aurora": ("aurora", "borealis", "northern", "极光"),
    "neon": ("neon", "cyberpunk", "synthwave", "vaporwave", "霓虹"),
    "underwater": ("underwater", "ocean", "submerged", "aquatic", "水下"),
    "desert": ("desert", "dusty", "sandstorm", "dust", "arid", "沙漠"),
    "inferno": ("inferno", "fire", "apocalypse", "hell", "fiery", "burning", "火焰"),
    "dream": ("dream", "dreamy", "pastel", "fairytale", "soft", "梦幻"),
}
"""Each edit with its words, the plainest first."""

MASK_PROMPT = "mask of the sky"
"""What finishing layers ask when they need to know where the sky is."""

GROUND_EDITS = ("snow", "autumn", "fog", "rain", "spring", "ice", "desert")
LIGHT_EDITS = ("night", "sunset", "golden", "dawn", "aurora", "neon", "storm", "noir", "vintage")
"""Edits that go together in one prompt: one of the ground, then one of the light."""

FILLERS = (
    "a", "an", "the", "it", "its", "this", "that", "my", "me", "of", "in", "at", "on", "to",
    "into", "with", "and", "by", "for", "as", "is", "be", "was", "were", "make", "turn", "change",
    "add", "put", "give", "let", "please", "look", "looks", "like", "same", "but", "more", "very",
    "some", "photo", "picture", "image", "scene", "style", "photograph", "version", "day", "time",
    "sky", "light", "lights", "weather", "season", "background", "lighting", "mood", "atmosphere",
    "snap", "shot", "all", "over", "under", "from", "during",
)  # fmt: skip
"""Words that carry no edit of their own and are no surprise in a prompt."""

_SINGLE = (
    "{w}", "{w}", "{w}", "make it {w}", "at {w}", "in {w}", "turn it into {w}", "{w} scene",
    "a {w} photo", "{w} please", "with {w}", "change this to {w}", "add {w}",
    "the same picture in {w}", "make this photo look like {w}", "a photo of {x} at {w}",
    "{x} in the {w}", "{x}, {w}", "{w} {x}",
    "turn the {x} into a {w} {x}", "very {w}", "{w} light", "make the weather {w}", "{w} style",
)  # fmt: skip
_DOUBLE = (
    "{v} {w}", "{w} {v}", "{v} and {w}", "{w} and {v}", "{w}, {v}", "{v} at {w}", "{w} with {v}",
    "make it {v} and {w}", "a {v} {w} scene", "a {w} photo with {v}", "{x} in {v} at {w}",
)  # fmt: skip
_SYLLABLES = [
    "ka", "lo", "mi", "ter", "bo", "sa", "ne", "ru", "vi", "dan",
    "pel", "go", "ti", "cha", "fu", "mor", "ze", "li", "qua", "hy",
]  # fmt: skip
_NOUNS = [
    "cat", "dog", "castle", "house", "city", "street", "woman", "man", "friend", "car", "tower",
    "room", "garden", "cup", "face",
]  # fmt: skip


def caption(edits: Sequence[str], rng: np.random.Generator) -> str:
    """Return a prompt for one edit, or for two that go together."""
    if edits == ["sky_mask"]:
        return MASK_PROMPT
    chosen = [_word(edit, rng) for edit in edits]
    if all(ord(word[0]) > 0x2E80 for word in chosen):
        shape = str(rng.choice(["{}", "变成{}", "{} 照片", "把它变成{}"]))
        return shape.format(" ".join(chosen))
    templates = _SINGLE if len(chosen) == 1 else _DOUBLE
    template = str(rng.choice(templates))
    return template.format(w=chosen[-1], v=chosen[0], x=_stranger(rng))


def _word(edit: str, rng: np.random.Generator) -> str:
    words = WORDS[edit]
    if edit == "noir" and rng.random() < 0.3:
        return "black and white"
    weights = np.array([3.0] + [1.0] * (len(words) - 1))
    return str(rng.choice(list(words), p=weights / weights.sum()))


def _stranger(rng: np.random.Generator) -> str:
    """Return a word the model need not know: it learns to pass over those."""
    if rng.random() < 0.5:
        return str(rng.choice(_NOUNS))
    return "".join(rng.choice(_SYLLABLES, rng.integers(2, 4)))
