"""Whether a GAN has collapsed: told with its figures, and said in its log."""

import logging

from torch import Tensor

from generation.pipelines.gan import diversity

COLLAPSED = 0.6
"""Diversity beside the data's below which a generator is said to have collapsed."""

logger = logging.getLogger(__name__)


def diversity_figures(made: Tensor, data: Tensor) -> dict[str, float]:
    """Return the diversity of what is made, and beside that of data; say it if it has collapsed.

    Shape:
        - made, data: ``(N, C, H, W)``, of one range, two pictures at least.
    """
    found = diversity(made).item()
    share = found / diversity(data).item()
    if share < COLLAPSED:
        logger.warning("the generator has collapsed: its pictures differ by %.2f of data's", share)
    return {"diversity": found, "diversity_beside_data": share}
