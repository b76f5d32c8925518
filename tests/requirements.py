"""What a bare machine may lack, and when lacking it is a failure."""

import os
from typing import Literal

import pytest

Requirement = Literal[
    "chromium", "postgres", "cluster", "schema", "systemd", "disks", "namespaces", "nginx"
]


def require(name: Requirement, *, available: bool, cure: str) -> None:
    """Skip the calling test when a requirement is missing, naming the cure.

    A machine that promises the requirement lists it in ``ATELIER_REQUIRE`` (comma separated):
    there a missing one fails instead, so that a broken set-up cannot pass unseen.
    """
    if available:
        return
    promised = {word.strip() for word in os.environ.get("ATELIER_REQUIRE", "").split(",")}
    if name in promised:
        pytest.fail(f"{name} is promised by ATELIER_REQUIRE but missing: {cure}", pytrace=False)
    pytest.skip(f"{name} is missing: {cure}")
