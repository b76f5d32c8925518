"""Run the sandbox alone: ``python -m sandbox --port 8080``."""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from sandbox.locales import LOCALES
from sandbox.server import Sandbox, SandboxConfig

LOOK_AFTER_PARENT_S = 1.0


def main() -> None:
    """Serve until told to stop; print one JSON line with the addresses when ready."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port of the page and the API")
    parser.add_argument("--tls-port", type=int, default=0, help="port with Discord's names")
    parser.add_argument("--state", type=Path, help="folder that keeps the conversation")
    parser.add_argument("--samples", type=Path, help="folder of pictures to offer to members")
    parser.add_argument("--welcome", type=Path, help="Markdown of the first message")
    parser.add_argument("--locale", choices=LOCALES, help="language of the members' clients")
    parser.add_argument("--bot-name", default="Bot", help="name of the bot's account")
    parser.add_argument(
        "--parent-pid",
        type=int,
        nargs="?",
        const=os.getppid(),
        help="stop when this process is gone (without a number: whoever started this)",
    )
    try:
        asyncio.run(_serve(parser.parse_args()))
    except OSError as error:
        sys.exit(f"The sandbox cannot listen: {error}")


async def _serve(arguments: argparse.Namespace) -> None:
    config = SandboxConfig(
        port=arguments.port,
        tls_port=arguments.tls_port,
        state_folder=arguments.state,
        samples_folder=arguments.samples,
        welcome=arguments.welcome,
        locale=arguments.locale,
        bot_name=arguments.bot_name,
    )
    sandbox = Sandbox(config)
    await sandbox.start()
    sys.stdout.write(json.dumps(sandbox.details) + "\n")
    sys.stdout.flush()
    await _until_stopped(arguments.parent_pid)
    await sandbox.close()


async def _until_stopped(parent_pid: int | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    while not stop.is_set():
        try:
            async with asyncio.timeout(LOOK_AFTER_PARENT_S):
                await stop.wait()
        except TimeoutError:
            # An orphan is adopted by another process, so that its parent's number changes.
            if parent_pid is not None and os.getppid() != parent_pid:
                return


if __name__ == "__main__":
    main()
