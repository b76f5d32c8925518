"""``top``: what a running bot is doing, drawn anew every second."""

import time
from http.client import HTTPConnection, HTTPException

from pydantic import ValidationError
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bot.overview import Engine, Overview, Share
from bot.settings import Settings

TIMEOUT_S = 5.0
SHOWN_MEMBERS = 20
BAR_WIDTH = 16


class NoAnswerError(OSError):
    """No bot answers at an address; the text is a sentence for its operator."""


def show(settings: Settings, *, address: str | None, every_s: float, once: bool) -> None:
    """Draw what the bot of this installation does, or the one at an address.

    Raises:
        NoAnswerError: no bot answers there, or the address is none.
    """
    host, _, port = (address or f"{settings.web_host}:{settings.web_port}").rpartition(":")
    if not port.isdecimal() or int(port) == 0:
        raise NoAnswerError("an address has the form host:port, and the port is above 0")
    host = "127.0.0.1" if host in ("", "0.0.0.0", "[::]", "::") else host.strip("[]")  # noqa: S104
    watch(host, int(port), every_s=every_s, once=once, console=Console())


def watch(host: str, port: int, *, every_s: float, once: bool, console: Console) -> None:
    """Draw what the bot at an address does, until interrupted.

    Raises:
        NoAnswerError: there is none now; once the first answer has come this is only shown.
    """
    seen = fetch(host, port)
    if once:
        console.print(draw(seen, before=None))
        return
    with Live(draw(seen, before=None), console=console, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(every_s)
            try:
                before, seen = seen, fetch(host, port)
                live.update(draw(seen, before=before), refresh=True)
            except NoAnswerError as err:
                live.update(Group(Text(str(err), style="red"), draw(seen, before=None)))
                live.refresh()


def fetch(host: str, port: int) -> Overview:
    """Ask a bot what it does.

    Raises:
        NoAnswerError: no bot answers there.
    """
    connection = HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/overview")
        return Overview.model_validate_json(connection.getresponse().read())
    except (OSError, HTTPException, ValidationError) as err:
        message = f"no Atelier bot answers at {host}:{port}; is it running?"
        raise NoAnswerError(message) from err
    finally:
        connection.close()


def draw(seen: Overview, *, before: Overview | None) -> Group:
    """Return a page; with what was seen before it shows the rates since then."""
    return Group(_headline(seen, before), _engines(seen, before), _members(seen))


def _headline(seen: Overview, before: Overview | None) -> Text:
    line = Text("Atelier", style="bold")
    counts = f"   {seen.waiting} waiting   {seen.running} running   {seen.finished} pictures"
    line.append(counts, style="not bold")
    if before is not None and seen.at_s > before.at_s and seen.finished >= before.finished:
        rate = 60 * (seen.finished - before.finished) / (seen.at_s - before.at_s)
        line.append(f"   {rate:.0f} a minute", style="not bold")
    return line


def _engines(seen: Overview, before: Overview | None) -> Table:
    table = _table(
        "engine", "", "requests", "", "rows of a call", "a call takes", "work left", "models"
    )
    earlier = {engine.device: engine for engine in before.engines} if before is not None else {}
    for engine in seen.engines:
        rows, call_ms = _calls(engine, earlier.get(engine.device))
        table.add_row(
            engine.device,
            _state(engine),
            f"{engine.requests} of {engine.capacity}",
            _bar(engine.requests, engine.capacity),
            rows,
            call_ms,
            f"{engine.busy_s:.1f} s",
            ", ".join(engine.models) or "-",
        )
    return table


def _state(engine: Engine) -> Text:
    """Return a word for how an engine is, and how often it was replaced."""
    if not engine.up:
        return Text("down", style="red")
    word = f"loading {engine.loading}" if engine.loading is not None else "up"
    replaced = f", replaced {engine.restarts}x" if engine.restarts else ""
    return Text(word + replaced, style="yellow" if engine.loading or replaced else "green")


def _calls(engine: Engine, before: Engine | None) -> tuple[str, str]:
    """Return how full the calls since then were and what one took; since the start without it."""
    calls, used, offered, step_ms = _counts(engine)
    if before is not None and calls > before.calls:
        now, then = (calls, used, offered, step_ms), _counts(before)
        calls, used, offered, step_ms = (a - b for a, b in zip(now, then, strict=True))
    if not calls or not offered:
        return "-", "-"
    return f"{used / offered:.0%} of {offered / calls:.3g}", f"{step_ms / calls:.3g} ms"


def _counts(engine: Engine) -> tuple[float, float, float, float]:
    return engine.calls, engine.rows_used, engine.rows_offered, engine.step_ms


def _members(seen: Overview) -> Table:
    table = _table("guild", "member", "waiting", "running", "device time", "share", "")
    total_ms = sum(share.served_ms for share in seen.members) + seen.others_ms
    shown = sorted(seen.members, key=_weight, reverse=True)[:SHOWN_MEMBERS]
    for share in shown:
        table.add_row(
            share.guild,
            share.member,
            str(share.waiting),
            str(share.running),
            f"{share.served_ms / 1000:.1f} s",
            f"{share.served_ms / total_ms:.0%}" if total_ms else "-",
            _bar(share.served_ms, total_ms),
        )
    if hidden := len(seen.members) - len(shown):
        table.caption = f"and {hidden} more"
    return table


def _weight(share: Share) -> tuple[float, int, int]:
    return share.served_ms, share.running, share.waiting


def _table(*columns: str) -> Table:
    return Table(*columns, box=SIMPLE_HEAD, header_style="bold", title_justify="left")


def _bar(part: float, whole: float) -> ProgressBar:
    return ProgressBar(total=max(whole, 1e-9), completed=part, width=BAR_WIDTH)
