"""Engines go where there is room: one a GPU, or one a node without any."""

from collections import Counter
from typing import Any

from generation.executor.cluster.placing import Node, best_of, nodes_in


def listed(name: str, *, alive: bool = True, **resources: float) -> dict[str, Any]:
    return {
        "NodeID": name,
        "Alive": alive,
        "NodeManagerAddress": "127.0.0.1",
        "Resources": {"memory": 1e9, **resources},
    }


def node(name: str, *, gpus: int = 0, engines: int = 1) -> Node:
    return Node(name=name, address="127.0.0.1", gpus=gpus, engines=engines)


def test_a_node_offers_an_engine_a_gpu_or_one_in_all_and_none_without_a_processor() -> None:
    listing = [
        listed("head", CPU=0.0),
        listed("cpu", CPU=16.0),
        listed("gpu", CPU=8.0, GPU=4.0),
        listed("few", CPU=1.0, GPU=4.0),
        listed("dead", alive=False, CPU=4.0),
    ]
    found = {it.name: it.engines for it in nodes_in(listing)}
    assert found == {"cpu": 1, "gpu": 4, "few": 1}


def test_gpus_come_first_then_the_emptiest_then_nothing() -> None:
    nodes = [node("cpu"), node("one", gpus=2, engines=2), node("two", gpus=2, engines=2)]
    taken: Counter[str] = Counter()
    order = []
    while (chosen := best_of(nodes, taken=taken)) is not None:
        taken[chosen.name] += 1
        order.append(chosen.name)
    assert order == ["one", "two", "one", "two", "cpu"]
