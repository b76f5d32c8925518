"""`python -m tests.soak.process bot|worker|all`: a process of the installation, on tiny pipelines.

It is what ``python -m bot run --role`` runs, but for the engines' pipelines, which need no torch.
As there, what it needs is imported when it is called: the children import this module, too.
"""

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

from bot.roles import Role

if TYPE_CHECKING:
    from bot.settings import Settings


async def serve(settings: "Settings", role: Role) -> None:
    """Serve until SIGTERM."""
    from bot.composition import assembled
    from bot.worker import working
    from tests.bot.pipelines import PIPELINES

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if role is Role.WORKER:
        async with working(settings, pipelines=PIPELINES) as worker:
            await worker.run(stop=stop)
        return
    assert settings.discord_token is not None
    async with assembled(settings, role=role, pipelines=PIPELINES) as bot:
        await bot.run(settings.discord_token.get_secret_value(), stop=stop)


def main() -> None:
    """Read the role and the environment."""
    from bot.app import opened
    from bot.settings import Settings

    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    with opened(settings):
        asyncio.run(serve(settings, Role(sys.argv[1])))


if __name__ == "__main__":
    main()
