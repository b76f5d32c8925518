"""Where a cluster is and how much of it is used."""

from dataclasses import dataclass

CURE = "install the extra: pip install -c constraints.txt -e '.[cluster]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """A Ray cluster that has the engines.

    Args:
        address: host and port of its head.
        engines: at most so many are kept, one a GPU, or one a node without any.
        silence_s: a node that does not answer for so long is given up, its rows go elsewhere.
    """

    address: str
    engines: int = 8
    silence_s: float = 15.0
