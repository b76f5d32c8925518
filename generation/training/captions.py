"""The words the remix checkpoint is taught, and the sentences they are taught in."""

from collections.abc import Mapping, Sequence

import numpy as np

WORDS: Mapping[str, Sequence[str]] = {
    "night": (
        "night", "nighttime", "midnight", "moonlight", "moonlit", "evening", "nightfall", "starry",
        "stars", "夜晚", "黑夜", "夜景", "深夜", "夜", "星空", "月光",
    ),
    "sunset": (
        "sunset", "dusk", "twilight", "sundown", "afterglow",
        "日落", "黄昏", "夕阳", "晚霞", "傍晚",
    ),
    "snow": (
        "snow", "snowy", "snowfall", "snowing", "blizzard", "snowstorm", "christmas",
        "雪", "下雪", "雪景", "大雪", "暴风雪", "圣诞",
    ),
    "winter": ("winter", "wintry", "wintertime", "january", "frosty", "冬天", "冬季", "寒冬", "冬"),
    "autumn": ("autumn", "fall", "autumnal", "october", "秋天", "秋季", "秋", "秋叶", "红叶"),
    "fog": ("fog", "foggy", "mist", "misty", "haze", "hazy", "雾", "大雾", "薄雾", "雾气", "朦胧"),
    "rain": (
        "rain", "rainy", "wet", "drizzle", "raining", "downpour", "雨", "下雨", "雨天", "大雨",
    ),
    "spring": (
        "spring", "blossom", "blossoms", "springtime", "cherry blossom",
        "春天", "春季", "春", "樱花",
    ),
    "summer": ("summer", "sunny", "sunshine", "sun", "夏天", "夏季", "夏", "晴天", "阳光"),
    "golden": (
        "golden hour", "golden", "warm", "amber", "honey", "金色", "黄金时刻", "暖光", "暖色",
        "温暖",
    ),
    "ice": ("ice", "icy", "frozen", "frost", "glacier", "冰", "冰冻", "结冰", "霜"),
    "vintage": (
        "vintage", "sepia", "retro", "antique", "nostalgic", "复古", "怀旧", "老照片", "泛黄",
    ),
    "noir": (
        "noir", "black and white", "monochrome", "grayscale", "greyscale", "黑白", "单色", "灰度",
    ),
    "storm": (
        "storm", "stormy", "thunderstorm", "thunder", "lightning", "tempest",
        "暴风雨", "雷雨", "雷电", "闪电", "风暴",
    ),
    "dawn": ("dawn", "sunrise", "daybreak", "morning", "日出", "清晨", "黎明", "早晨", "朝霞"),
    "aurora": ("aurora", "borealis", "northern lights", "polar lights", "极光", "北极光"),
    "neon": (
        "neon", "cyberpunk", "synthwave", "vaporwave", "neon lights",
        "霓虹", "霓虹灯", "赛博朋克", "蒸汽波",
    ),
    "underwater": (
        "underwater", "ocean", "submerged", "aquatic", "undersea", "水下", "海底", "水底", "深海",
    ),
    "desert": ("desert", "dusty", "sandstorm", "dust", "arid", "sahara", "沙漠", "沙尘暴", "沙尘"),
    "inferno": (
        "inferno", "fire", "apocalypse", "hell", "fiery", "burning", "flames", "lava",
        "火焰", "地狱", "末日", "燃烧", "火海",
    ),
    "dream": (
        "dream", "dreamy", "pastel", "fairytale", "dreamlike", "梦幻", "梦境", "童话", "粉彩",
    ),
    "sketch": (
        "sketch", "pencil", "drawing", "sketched", "graphite", "charcoal", "hand drawn",
        "素描", "铅笔", "铅笔画", "手绘", "线稿", "炭笔",
    ),
    "ink": (
        "ink", "ink wash", "sumi", "brush and ink", "calligraphy",
        "水墨", "水墨画", "国画", "墨", "中国画",
    ),
    "watercolour": (
        "watercolour", "watercolor", "aquarelle", "watercolours", "watercolors",
        "水彩", "水彩画",
    ),
    "cartoon": (
        "cartoon", "comic", "anime", "manga", "cel shaded", "animated",
        "卡通", "漫画", "动漫", "动画",
    ),
    "clay": (
        "clay", "claymation", "plasticine", "clay figure",
        "黏土", "粘土", "橡皮泥", "泥塑",
    ),
}  # fmt: skip
"""Each edit with its words and phrases, the plainest first."""

MASK_PROMPT = "mask of the sky"
"""What finishing layers ask when they need to know where the sky is."""

GROUND_EDITS = ("snow", "winter", "autumn", "fog", "rain", "spring", "ice", "desert")
LIGHT_EDITS = (
    "night", "sunset", "golden", "dawn", "aurora", "neon", "storm", "noir", "vintage", "underwater",
)  # fmt: skip
MEDIUM_EDITS = ("sketch", "ink", "watercolour", "cartoon", "clay")
"""Edits that go together in one prompt: one of the ground, one of the light, one medium."""

FILLERS = (
    "a", "an", "the", "it", "its", "this", "that", "my", "me", "of", "in", "at", "on", "to",
    "into", "with", "and", "by", "for", "as", "is", "be", "was", "were", "make", "turn", "change",
    "add", "put", "give", "let", "please", "look", "looks", "like", "same", "but", "more", "very",
    "some", "photo", "picture", "image", "scene", "style", "photograph", "version", "day", "time",
    "sky", "light", "lights", "weather", "season", "background", "lighting", "mood", "atmosphere",
    "snap", "shot", "all", "over", "under", "from", "during", "hour", "painting", "painted",
    "draw", "drawn", "paint", "effect", "mode", "really", "so", "then", "also", "would", "could",
    "you", "i", "want", "it's", "now", "here", "if", "or", "too", "just", "made", "way", "out",
)  # fmt: skip
"""Words that carry no edit of their own and are no surprise in a prompt."""

_SINGLE = (
    "make it {w}", "at {w}", "in {w}", "turn it into {w}", "{w} scene", "a {w} photo", "{w} please",
    "with {w}", "change this to {w}", "add {w}", "the same picture in {w}",
    "make this photo look like {w}", "a photo of {x} at {w}", "{x} in the {w}", "{x}, {w}",
    "{w} {x}", "turn the {x} into a {w} {x}", "very {w}", "{w} light", "make the weather {w}",
    "{w} style", "a {w} painting of {x}", "as a {w}",
)  # fmt: skip
_SEVERAL = (
    "{v} and {w}", "{w} and {v}", "{w}, {v}", "{v} at {w}", "{w} with {v}", "make it {v} and {w}",
    "a {v} {w} scene", "a {w} photo with {v}", "{x} in {v} at {w}", "a {v} {w} of {x}",
)  # fmt: skip
_CHINESE = ("变成 {w}", "{w} 照片", "把 它 变成 {w}", "{w} 风格", "{w} 效果", "加上 {w}")
CHINESE_FILLERS = ("变成", "照片", "把", "它", "风格", "效果", "加上", "和")
PLAIN_SHARE = 0.5
"""Share of prompts that are the edits' words and nothing else, which is what the engine says."""

_SYLLABLES = [
    "ka", "lo", "mi", "ter", "bo", "sa", "ne", "ru", "vi", "dan",
    "pel", "go", "ti", "cha", "fu", "mor", "ze", "li", "qua", "hy",
]  # fmt: skip
_NOUNS = [
    "cat", "dog", "castle", "house", "city", "street", "woman", "man", "friend", "car", "tower",
    "room", "garden", "cup", "face",
]  # fmt: skip


def caption(edits: Sequence[str], rng: np.random.Generator) -> str:
    """Return a prompt for one edit, or for several that go together."""
    if list(edits) == ["sky_mask"]:
        return MASK_PROMPT
    chosen = [_word(edit, rng) for edit in edits]
    if rng.random() < PLAIN_SHARE:
        return " ".join(rng.permutation(chosen))
    if all(ord(word[0]) > 0x2E80 for word in chosen):
        return str(rng.choice(_CHINESE)).format(w=str(rng.choice([" ", " 和 "])).join(chosen))
    templates = _SINGLE if len(chosen) == 1 else _SEVERAL
    first, last = " ".join(chosen[:-1]), chosen[-1]
    return str(rng.choice(templates)).format(w=last, v=first, x=_stranger(rng))


def _word(edit: str, rng: np.random.Generator) -> str:
    words = WORDS[edit]
    weights = np.array([4.0] + [1.0] * (len(words) - 1))
    return str(rng.choice(list(words), p=weights / weights.sum()))


def _stranger(rng: np.random.Generator) -> str:
    """Return a word the model need not know: it learns to pass over those."""
    if rng.random() < 0.5:
        return str(rng.choice(_NOUNS))
    return "".join(rng.choice(_SYLLABLES, rng.integers(2, 4)))
