"""Which nodes can have an engine, and which gets the next one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the cluster and how many engines it can have: one a GPU, or one."""

    name: str
    address: str
    gpus: int
    engines: int


def nodes_in(listing: Sequence[Mapping[str, Any]]) -> list[Node]:
    """Return the living nodes of Ray's listing that offer a GPU or a processor."""
    found = []
    for entry in listing:
        offered = entry["Resources"]
        gpus, cpus = int(offered.get("GPU", 0)), int(offered.get("CPU", 0))
        if entry["Alive"] and cpus:
            address = entry["NodeManagerAddress"]
            engines = min(gpus, cpus) or 1
            node = Node(name=entry["NodeID"], address=address, gpus=gpus, engines=engines)
            found.append(node)
    return found


def best_of(nodes: Sequence[Node], *, taken: Counter[str]) -> Node | None:
    """Return the node for one more engine: GPUs first, then where the fewest are."""
    free = [node for node in nodes if taken[node.name] < node.engines]
    return min(free, key=lambda node: (not node.gpus, taken[node.name]), default=None)
