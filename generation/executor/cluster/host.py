"""The actor: an engine process on this node with its arena and keeper, spoken to by letters.

Nothing here knows Ray; ``dispatcher`` makes an actor of it. Both methods may be called twice
with the same numbers, which changes nothing.
"""

import asyncio
import hashlib
import os
import pickle
import platform
import tempfile
from collections import deque
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

import generation
from generation.errors import EngineError, EngineLostError
from generation.executor.arena import create_arena
from generation.executor.cluster.letters import Event, Lost, Opening, Said, Up, pack
from generation.executor.control import Sight
from generation.executor.keeper import Keeper, Listener
from generation.executor.messages import Hello, Message, Release
from generation.executor.watchdog import Verdict

ANSWER_S = 1.0
"""A host that has nothing to say says so as often."""
MOST_BYTES = 8 * 2**20
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - shared memory has this one place
THAT_COUNT = ("torch", "diffusers", "transformers", "numpy", "pillow", "scipy")


def edition() -> str:
    """Return what has to be equal on two machines for equal bytes: our sources and the stack's."""
    root = Path(generation.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    versions = ", ".join(f"{name} {_version(name)}" for name in THAT_COUNT)
    return f"{digest.hexdigest()[:12]}, Python {platform.python_version()}, {versions}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


class Host:
    """Has one engine after another on this node."""

    def __init__(self) -> None:
        self._said: deque[tuple[int, bytes]] = deque()
        self._numbers = 0
        self._news = asyncio.Event()
        self._told = 0
        self._unsent: deque[Message] = deque()
        self._hopeless = False

    async def open(self, opening: bytes, edition_there: str) -> None:
        """Start the first engine; ``hear`` tells when it is up.

        Raises:
            EngineError: this node runs other versions, or has no room for an arena.
        """
        if (here := await asyncio.to_thread(edition)) != edition_there:
            raise EngineError(f"this node has {here}; the bot has {edition_there}")
        given = cast("Opening", pickle.loads(opening))  # noqa: S301 - from our own bot
        self._arena = await asyncio.to_thread(
            create_arena,
            geometry=given.arena,
            data_dir=Path(tempfile.gettempdir()) / f"atelier-{os.getuid()}",
            shm_dir=SHARED_MEMORY,
        )
        self._keeper = Keeper(
            arena=self._arena,
            hello=named(given.hello),
            patience=given.patience,
            listener=Listener(
                on_message=self._on_message,
                on_up=self._on_up,
                on_lost=self._on_lost,
                on_hopeless=self._on_hopeless,
            ),
        )
        self._keeping = asyncio.create_task(self._keeper.run(), name="engine keeper")

    async def close(self) -> None:
        """End the engine and give the memory back."""
        await self._keeper.stop()
        await self._keeping
        self._arena.close()

    async def tell(self, number: int, posts: list[tuple[int, bytes]]) -> None:
        """Hand messages to the engine: pairs of the start that is meant and the message.

        What is meant for an engine that is gone goes nowhere.

        Args:
            number: of the first post; they are numbered from 1.
            posts: in order.
        """
        for index, (start, data) in enumerate(posts, start=number):
            if index > self._told:
                self._told = index
                if start == self._keeper.starts and self._keeper.up:
                    self._unsent.append(pickle.loads(data))  # noqa: S301 - from our own bot
        self._flush()

    async def hear(self, after: int) -> list[tuple[int, bytes]]:
        """Return numbered events after this number, which are kept until a higher one is asked for.

        Raises:
            EngineLostError: there is no hope for an engine here.
        """
        while self._said and self._said[0][0] <= after:
            self._said.popleft()
        if not self._said:
            self._news.clear()
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self._news.wait()
            except TimeoutError:
                return []
        if self._hopeless:
            raise EngineLostError("no engine comes up on this node; its log says why")
        return self._some()

    def _some(self) -> list[tuple[int, bytes]]:
        """Return the first of what was said, not more than fits well into one answer."""
        chosen: list[tuple[int, bytes]] = []
        size = 0
        for number, data in self._said:
            size += len(data)
            if chosen and size > MOST_BYTES:
                break
            chosen.append((number, data))
        return chosen

    def _say(self, event: Event) -> None:
        self._numbers += 1
        self._said.append((self._numbers, pack(event)))
        self._news.set()

    def _flush(self) -> None:
        """Send the engine what its arena has room for."""
        while self._unsent and self._keeper.engine is not None:
            try:
                self._keeper.engine.send(self._unsent[0])
            except BufferError:
                return
            self._unsent.popleft()

    def _on_message(self, message: Message) -> None:
        if isinstance(message, Release):
            self._flush()
        else:
            self._say(Said(start=self._keeper.starts, message=message))

    def _on_up(self) -> None:
        engine = self._keeper.engine
        assert engine is not None
        self._say(Up(start=self._keeper.starts, node=platform.node(), pid=engine.pid))

    def _on_lost(self, sight: Sight, verdict: Verdict | None) -> None:
        self._unsent.clear()
        self._say(Lost(start=self._keeper.starts, sight=sight, verdict=verdict))

    def _on_hopeless(self) -> None:
        self._hopeless = True
        self._news.set()


def named(hello: Hello) -> Hello:
    """Return a greeting in which the engine's place has a name: the node's, and its GPU's."""
    place = f"{platform.node()} {os.environ.get('CUDA_VISIBLE_DEVICES', '')}".strip()
    return replace(hello, config=replace(hello.config, station=place))
