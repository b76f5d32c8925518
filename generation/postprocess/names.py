"""What the finishing layers are called, for those who must not pay for drawing them."""

LAYER_NAMES = frozenset(
    {
        "stars", "lights", "flakes", "drops", "embers", "petals", "bubbles", "grain", "lightning",
        "rays", "glow", "pencil", "brush", "wash", "flat", "relief",
    }
)  # fmt: skip
