"""What the whole test session shares: one sandbox and one Chromium, started at the first use."""

from tests.browser import chromium
from tests.sandbox.fixtures import sandbox, sandbox_session

__all__ = ["chromium", "sandbox", "sandbox_session"]
