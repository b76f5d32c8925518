"""Signals between the processes that share a PostgreSQL database, by LISTEN and NOTIFY.

A signal is a hint and never the truth, which is in the tables: while the connection is down signals
are lost, and whoever listens looks at the tables when it is back, and now and then besides.
"""

import asyncio
from collections.abc import Callable

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from storage.database import address_of

CHANNEL = "atelier"
MOST_BYTES = 7999
"""PostgreSQL takes no longer ones."""
MOST_UNSENT = 1000
ALIVE_S = 10.0
"""So long may the server take to answer, and so long nothing is said at most."""
PAUSE_S = 1.0

log = structlog.get_logger()


class Signals:
    """One connection that says and hears; it is made again whenever it breaks.

    Args:
        url: the database's address.
        heard: called with what any process says, this one included.
        connected: called whenever signals may have been missed before.
    """

    def __init__(
        self, url: str, *, heard: Callable[[str], None], connected: Callable[[], None]
    ) -> None:
        self._address = address_of(url)
        self._heard = heard
        self._connected = connected
        self._unsent: asyncio.Queue[str] = asyncio.Queue(MOST_UNSENT)
        self._keeping: asyncio.Task[None] | None = None
        self.listening = asyncio.Event()

    def start(self) -> None:
        """Connect, and stay connected until closed."""
        self._keeping = asyncio.create_task(self._keep(), name="signals")

    async def close(self) -> None:
        """Say what is to be said yet, and leave."""
        if self._keeping is None:
            return
        if self.listening.is_set():
            await asyncio.wait((asyncio.create_task(self._unsent.join()),), timeout=PAUSE_S)
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)
        self._keeping = None

    def send(self, text: str) -> None:
        """Say something soon; what is too long, or comes too quickly, is left out."""
        if self._unsent.full() or len(text.encode()) > MOST_BYTES:
            log.warning("a signal was not sent", waiting=self._unsent.qsize())
            return
        self._unsent.put_nowait(text)

    async def _keep(self) -> None:
        while True:
            try:
                await self._serve()
            except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as err:
                log.warning("no signals for now", reason=type(err).__name__)
            finally:
                self.listening.clear()
            await asyncio.sleep(PAUSE_S)

    async def _serve(self) -> None:
        engine = create_async_engine(
            self._address, poolclass=NullPool, isolation_level="AUTOCOMMIT", hide_parameters=True
        )
        async with asyncio.timeout(ALIVE_S):
            connection = await engine.connect()
            driver = (await connection.get_raw_connection()).driver_connection
        assert isinstance(driver, asyncpg.Connection), "it is connected"
        try:
            await self._talk(driver)
        finally:
            # To a host that is cut off nothing can be said, not even goodbye.
            driver.terminate()
            await connection.invalidate()
            await connection.close()

    async def _talk(self, driver: asyncpg.Connection) -> None:
        async with asyncio.timeout(ALIVE_S):
            await driver.add_listener(CHANNEL, lambda *heard: self._heard(heard[3]))
        self.listening.set()
        self._connected()
        while True:
            text = await self._next()
            async with asyncio.timeout(ALIVE_S):
                if text is None:
                    await driver.execute("SELECT 1")
                else:
                    await driver.execute("SELECT pg_notify($1, $2)", CHANNEL, text)
                    self._unsent.task_done()

    async def _next(self) -> str | None:
        """Return what is to be said next, None after a while of silence."""
        try:
            async with asyncio.timeout(ALIVE_S):
                return await self._unsent.get()
        except TimeoutError:
            return None
