"""One line for each event, for people or for machines, and never with a secret in it."""

import logging
import re
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "[secret]"
_INTERACTION_TOKENS = re.compile(r"((?:webhooks|interactions)/\d+/)[\w.%-]{16,}")


class Redactor:
    """Masks the bot's token and interaction tokens, wherever in a line they stand."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)

    def mask(self, text: str) -> str:
        """Return a text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return _INTERACTION_TOKENS.sub(rf"\1{MASK}", text)

    def __call__(self, _: WrappedLogger, __: str, line: object) -> str:
        """Mask a rendered line, which by then holds tracebacks and arguments too."""
        return self.mask(str(line))


def configure_logging(
    *,
    log_format: Literal["console", "json"],
    level: str,
    secrets: tuple[str, ...] = (),
    stream: TextIO | None = None,
) -> None:
    """Send everything that is logged, ours and the libraries', to one stream."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[_drop_internals, *_renderers(log_format), Redactor(secrets)],
        )
    )
    handler.addFilter(_is_of_use)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Their lines on this level hold addresses with tokens, and say nothing that ours do not.
    for noisy in ("discord.http", "discord.webhook.async_", "aiohttp.access", "alembic"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def _is_of_use(record: logging.LogRecord) -> bool:
    """Drop discord.py's remarks about voice, which this bot never uses."""
    return "voice will NOT be supported" not in record.getMessage()


def _renderers(log_format: Literal["console", "json"]) -> list[Processor]:
    """Return what turns an event into a line."""
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Plain tracebacks: the pretty ones print local variables, and with them what is in them.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]


def _drop_internals(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Remove what structlog keeps for itself."""
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(None, "", event)
