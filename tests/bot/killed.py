"""`python -m tests.bot.killed POINT`: the bot on tiny pipelines, which kills itself at a point.

What it needs is imported when it is called: its engines' processes import this module, too.
"""

import asyncio
import inspect
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any


def die_after(owner: Any, name: str) -> None:  # noqa: ANN401 (a class or a module)
    """Have the process end with SIGKILL as soon as a function has done its work."""
    call: Callable[..., Any] = getattr(owner, name)

    @wraps(call)
    async def awaited(*args: object, **named: object) -> None:
        await call(*args, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    @wraps(call)
    def called(*args: object, **named: object) -> None:
        call(*args, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, awaited if inspect.iscoroutinefunction(call) else called)


def main() -> None:
    """Serve until the point is reached."""
    from bot.app import opened
    from bot.composition import assembled
    from bot.delivery import Delivery
    from bot.job_pictures import JobPictures
    from bot.settings import Settings
    from storage import ledger
    from storage.jobs import JobStore
    from tests.bot.pipelines import PIPELINES

    points: dict[str, tuple[Any, str]] = {
        "accepted": (JobStore, "accept"),
        "claimed": (JobStore, "claim_job"),
        "stored": (JobPictures, "keep"),
        "charged, not committed": (ledger, "settle"),
        "committed": (JobStore, "settle"),
        "sent, not noted": (Delivery, "_tell"),
    }
    die_after(*points[sys.argv[1]])
    settings = Settings(_env_file=None)  # type: ignore[call-arg]

    async def serve() -> None:
        assert settings.discord_token is not None
        async with assembled(settings, pipelines=PIPELINES) as bot:
            await bot.run(settings.discord_token.get_secret_value(), stop=asyncio.Event())

    with opened(settings):
        asyncio.run(serve())


if __name__ == "__main__":
    main()
