"""The dispatcher process: Ray's driver, which passes letters on and decides over nothing else.

``python -m generation.executor.cluster.dispatcher``, started by the bot. It keeps a host on every
node that offers a GPU or a processor, as far as there are seats, gives hosts up that fall silent,
and tries elsewhere. When Ray ends it because the cluster's head is gone, the bot starts another.
"""

import asyncio
import logging
import os
import pickle
import signal
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar, cast

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from generation.executor.cluster.host import Host, edition
from generation.executor.cluster.letters import (
    Beat,
    Begin,
    Letter,
    Post,
    Vanished,
    frame,
    next_frame,
)
from generation.executor.cluster.placing import Node, best_of, nodes_in
from generation.executor.engine import die_with_parent

BEAT_S = 0.5
SURVEY_S = 1.0
AVOID_S = 15.0
"""A node on which a host was given up is left alone for so long."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Seat:
    """A place for one engine, the node it is on, and what its host is still to be told."""

    number: int
    node: Node | None = None
    host: int = 0
    posts: list[tuple[int, bytes]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Dispatcher:
    """The switch between the bot and the hosts."""

    def __init__(
        self, begin: Begin, *, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._begin = begin
        self._edition = edition()
        self._reader = reader
        self._writer = writer
        self._seats = [Seat(number=number) for number in range(begin.seats)]
        self._hosts = 0
        self._nodes: list[Node] = []
        self._avoided: dict[str, float] = {}

    async def run(self) -> None:
        """Serve until the bot sends no more or is gone."""
        self._nodes = await asyncio.to_thread(_look)
        works = [self._beat(), self._survey(), *(self._serve(seat) for seat in self._seats)]
        tasks = [asyncio.create_task(work) for work in works]
        reading = asyncio.create_task(self._read())
        done, _ = await asyncio.wait((reading, *tasks), return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _read(self) -> None:
        """Take posts from the bot until it sends no more."""
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                self._post(cast("Post", pickle.loads(await next_frame(self._reader))))  # noqa: S301 - the bot's

    def _post(self, post: Post) -> None:
        seat = self._seats[post.seat]
        if post.host == seat.host and seat.node is not None:
            seat.posts.append((post.start, post.message))
            seat.news.set()

    async def _beat(self) -> None:
        while True:
            self._writer.write(frame(Beat()))
            await asyncio.sleep(BEAT_S)

    async def _survey(self) -> None:
        """Look at the nodes again and again; without the head the last sight counts."""
        while True:
            await asyncio.sleep(SURVEY_S)
            try:
                self._nodes = await asyncio.to_thread(_look)
            except (RayError, OSError, RuntimeError) as err:
                logger.warning("the cluster's head does not answer: %s", err)

    async def _serve(self, seat: Seat) -> None:
        """Have a host for a seat whenever there is a node for it."""
        while True:
            seat.node = self._choose()
            if seat.node is None:
                await asyncio.sleep(SURVEY_S)
                continue
            self._hosts += 1
            seat.host = self._hosts
            seat.posts.clear()
            reason = await self._host(seat, seat.node)
            logger.warning("the engine on %s is given up: %s", seat.node.address, reason)
            self._avoided[seat.node.name] = asyncio.get_running_loop().time() + AVOID_S
            self._writer.write(frame(Vanished(seat=seat.number, host=seat.host)))
            seat.node = None

    def _choose(self) -> Node | None:
        now = asyncio.get_running_loop().time()
        taken = Counter(seat.node.name for seat in self._seats if seat.node is not None)
        open_to_us = [node for node in self._nodes if self._avoided.get(node.name, 0.0) <= now]
        return best_of(open_to_us, taken=taken)

    async def _host(self, seat: Seat, node: Node) -> str:
        """Have one host until it has to be given up; return why."""
        actor = await asyncio.to_thread(_hire, node)
        telling: asyncio.Task[None] | None = None
        try:
            opening = actor.open.remote(self._begin.opening, self._edition)
            await answered(opening, self._begin.start_timeout_s)
            telling = asyncio.create_task(self._tell(seat, actor))
            await self._hear(seat, actor)
        except TimeoutError:
            return "it does not answer"
        except RayTaskError as err:
            return first_line(err.cause)
        except RayError as err:
            return first_line(err)
        finally:
            if telling is not None:
                telling.cancel()
            await asyncio.to_thread(ray.kill, actor)

    async def _hear(self, seat: Seat, actor: Any) -> NoReturn:  # noqa: ANN401 - Ray's handle
        """Pass on what a host says."""
        last = 0
        while True:
            said = await answered(actor.hear.remote(last), self._begin.silence_s)
            for number, event in said:
                if number > last:
                    letter = Letter(seat=seat.number, host=seat.host, number=number, event=event)
                    self._writer.write(frame(letter))
                    last = number

    async def _tell(self, seat: Seat, actor: Any) -> None:  # noqa: ANN401 - Ray's handle
        """Tell a host what was posted, one batch after another, so that the order holds."""
        number = 1
        while True:
            await seat.news.wait()
            seat.news.clear()
            posts, seat.posts = seat.posts, []
            try:
                await answered(actor.tell.remote(number, posts), None)
            except RayError:
                return  # What the host says ends likewise, and tells why.
            number += len(posts)


def _look() -> list[Node]:
    listing: Any = ray.nodes
    return nodes_in(listing())


def _hire(node: Node) -> Any:  # noqa: ANN401 - Ray's handle
    where = NodeAffinitySchedulingStrategy(node.name, soft=False)
    options = {"num_cpus": 1, "num_gpus": 1 if node.gpus else 0, "scheduling_strategy": where}
    return ray.remote(Host).options(max_restarts=0, max_task_retries=0, **options).remote()


def first_line(error: BaseException) -> str:
    """Return the sentence of an error that may come with pages of advice."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


async def answered(reference: Awaitable[T], timeout_s: float | None) -> T:
    """Wait for an actor's answer.

    Raises:
        TimeoutError: it did not come in time.
        RayError: the actor has failed, or its node.
    """
    async with asyncio.timeout(timeout_s):
        return await reference


def connect(address: str) -> None:
    """Join the cluster.

    Raises:
        RayError: the cluster refuses; its token is missing, for one.
        OSError: there is no cluster at this address, or no node of it on this machine.
    """
    ray.init(
        address=address,
        namespace="atelier",
        log_to_driver=False,
        logging_level=logging.WARNING,
    )


async def serve(end: socket.socket) -> None:
    """Serve the bot at the other end of the socket."""
    reader, writer = await asyncio.open_connection(sock=end)
    begin = cast("Begin", pickle.loads(await next_frame(reader)))  # noqa: S301 - the bot's
    logging.basicConfig(
        level=begin.log_level, format="%(asctime)s %(levelname)s dispatcher %(name)s: %(message)s"
    )
    try:
        connect(begin.address)
    except (RayError, OSError, RuntimeError, ValueError) as err:
        logger.error("no cluster at %s: %s", begin.address, first_line(err))
        return
    await Dispatcher(begin, reader=reader, writer=writer).run()


def main(arguments: Sequence[str]) -> None:
    """Run a dispatcher on inherited descriptors: socket, parent."""
    socket_fd, parent = map(int, arguments)
    # The bot decides when its dispatcher ends; Ctrl-C is meant for the bot.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        die_with_parent(parent)
    os.set_inheritable(socket_fd, False)
    asyncio.run(serve(socket.socket(fileno=socket_fd)))
    # Ray ends what this driver has started; taking leave of a head that is gone would take long.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
