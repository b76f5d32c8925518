"""Discord's own OpenAPI document as an oracle for every request and reply.

``DISCORD_OPENAPI`` names the file. What a client may do although the document does not say so,
or what the document itself gets wrong, is written down one by one in ``TOLERANCES``.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from sandbox.journal import Exchange

VARIABLE = "DISCORD_OPENAPI"
CURE = f"set {VARIABLE} to openapi.json of Discord's public api-spec repository"
DOCUMENT = "urn:discord"
PARAMETER = re.compile(r"\{[^}]+\}")

Side = Literal["request", "query", "reply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """One difference that is accepted, and why."""

    side: Side
    place: str
    message: str
    why: str


TOLERANCES = (
    Tolerance(
        side="request",
        place=r"(data/)?attachments/\d+/id",
        message=r"^\d+ is not of type 'string'$",
        why="discord.py sends the ids of attachments as numbers, and Discord takes them",
    ),
    Tolerance(
        side="request",
        place="recipient_id",
        message=r"^\d+ is not of type '(string|null)'$",
        why="discord.py sends the recipient of a direct message as a number, and Discord takes it",
    ),
    Tolerance(
        side="query",
        place="with_response|with_components|wait|with_counts|exclude_ended|exclude_deleted",
        message=r"^[01] does not fit$",
        why="discord.py sends booleans in queries as 0 and 1, and Discord takes them",
    ),
    Tolerance(
        side="request",
        place="",
        message=r"^no such operation: /applications/\{application_id\}/skus$",
        why="the document leaves out the list of SKUs, which Discord's documentation describes",
    ),
    Tolerance(
        side="request",
        place="",
        message=r"^no such operation: /oauth2/token$",
        why="the document leaves out the exchange of codes, which Discord describes elsewhere",
    ),
    Tolerance(
        side="reply",
        place=r"errors/(.*/)?_errors/\d+/code",
        message="^'[A-Z0-9_]+' is not of type 'integer'$",
        why="Discord's documentation shows words here, such as BASE_TYPE_REQUIRED",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A place where an exchange does not fit the document."""

    side: Side
    exchange: str
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.exchange} {self.side} {self.place}: {self.message}"

    def tolerated(self) -> bool:
        """Return whether a tolerance covers it."""
        return any(
            found.side == self.side
            and re.fullmatch(found.place, self.place)
            and re.search(found.message, self.message)
            for found in TOLERANCES
        )


@cache
def open_api(place: Path) -> "OpenApi":
    """Return the oracle of a document, read once."""
    return OpenApi(place)


def schema_file() -> Path | None:
    """Return the document's path, or None when the variable names no file."""
    place = Path(os.environ.get(VARIABLE, ""))
    return place if place.is_file() else None


class OpenApi:
    """Checks exchanges against the document."""

    def __init__(self, place: Path) -> None:
        document = json.loads(place.read_text())
        resource = DRAFT202012.create_resource(document)
        self._registry: Registry[Any] = Registry().with_resource(DOCUMENT, resource)
        self._document = document
        self._operations = {
            (method.upper(), PARAMETER.sub("{}", path)): (path, method)
            for path, item in document["paths"].items()
            for method in item
            if method in {"get", "post", "put", "patch", "delete"}
        }
        self._validator = cache(self._new_validator)

    def violations(self, exchange: Exchange) -> list[Violation]:
        """Return what does not fit, without what is tolerated."""
        key = (exchange.method, PARAMETER.sub("{}", exchange.route))
        if exchange.status >= 500 or exchange.status == 499:
            return []
        if key not in self._operations:
            # A client that asks for what does not exist is told so: that reply is right.
            message = f"no such operation: {exchange.route}"
            found = [_violation(exchange, "request", "", message)] * (exchange.status != 404)
        else:
            path, method = self._operations[key]
            found = list(self._reply(exchange, path, method))
            if exchange.status < 400:
                found += self._request(exchange, path, method)
                found += self._query(exchange, path, method)
        return [violation for violation in found if not violation.tolerated()]

    def _request(self, exchange: Exchange, path: str, method: str) -> Iterator[Violation]:
        body = self._document["paths"][path][method].get("requestBody")
        if body is None:
            if exchange.request is not None:
                yield _violation(exchange, "request", "", "a body where none is described")
            return
        if exchange.content_type not in body["content"]:
            yield _violation(exchange, "request", "", f"content type {exchange.content_type}")
            return
        place = _pointer("paths", path, method, "requestBody", "content", exchange.content_type)
        payload = exchange.request
        if isinstance(payload, dict):
            payload = payload | dict.fromkeys(exchange.files, "")
        yield from self._errors(exchange, "request", place, payload)

    def _reply(self, exchange: Exchange, path: str, method: str) -> Iterator[Violation]:
        responses = self._document["paths"][path][method]["responses"]
        status = str(exchange.status)
        found = next((key for key in (status, f"{status[0]}XX") if key in responses), None)
        if found is None:
            yield _violation(exchange, "reply", "", f"status {status} is not described")
            return
        described, place = responses[found], _pointer("paths", path, method, "responses", found)
        if "$ref" in described:
            place = described["$ref"]
            described = self._document["components"]["responses"][place.rpartition("/")[2]]
        if "content" not in described:
            if exchange.response is not None:
                yield _violation(exchange, "reply", "", "a body where none is described")
            return
        if exchange.headers.get("Content-Type") != "application/json":
            # Only ordered faults answer with a page; they stand for the network before Discord.
            if exchange.status < 400:
                yield _violation(exchange, "reply", "", "not application/json")
            return
        inner = f"{place}/content/application~1json"
        yield from self._errors(exchange, "reply", inner, exchange.response)

    def _query(self, exchange: Exchange, path: str, method: str) -> Iterator[Violation]:
        item = self._document["paths"][path]
        described = {
            found["name"]: found["schema"]
            for found in (*item.get("parameters", ()), *item[method].get("parameters", ()))
            if found["in"] == "query"
        }
        for name, text in exchange.query.items():
            if name not in described:
                yield _violation(exchange, "query", name, "is not described")
            elif not _fits(described[name], text):
                yield _violation(exchange, "query", name, f"{text} does not fit")

    def _errors(
        self, exchange: Exchange, side: Side, place: str, value: object
    ) -> Iterator[Violation]:
        for error in self._validator(place).iter_errors(value):
            deepest = _deepest(error)
            yield _violation(
                exchange,
                side,
                "/".join(str(part) for part in deepest.absolute_path),
                deepest.message[:300],
            )

    def _new_validator(self, place: str) -> Draft202012Validator:
        schema = {"$ref": f"{DOCUMENT}{place}/schema"}
        return Draft202012Validator(schema, registry=self._registry, format_checker=FORMATS)


def _pointer(*parts: str) -> str:
    return "#/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)


def _violation(exchange: Exchange, side: Side, place: str, message: str) -> Violation:
    told = f"{exchange.method} {exchange.route} {exchange.status}"
    return Violation(side=side, exchange=told, place=place, message=message)


def _deepest(error: ValidationError) -> ValidationError:
    """Return the error inside a union that says most: that of the choice that got furthest."""
    while error.context:
        error = max(error.context, key=lambda found: (len(found.absolute_path), -_is_kind(found)))
    return error


def _is_kind(error: ValidationError) -> int:
    return int(list(error.absolute_path)[-1:] == ["type"])


def _fits(schema: dict[str, Any], text: str) -> bool:
    kind = schema.get("type")
    if kind == "integer":
        return text.lstrip("-").isdigit()
    if kind == "boolean":
        return text in {"true", "false"}
    return True


def _is_snowflake(value: object) -> bool:
    return not isinstance(value, str) or (value.isdigit() and int(value) < 1 << 64)


def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def _is_address(value: object) -> bool:
    return not isinstance(value, str) or re.match(r"[a-z][a-z0-9+.-]*:", value) is not None


def _is_int32(value: object) -> bool:
    return not isinstance(value, int) or -(1 << 31) <= value < 1 << 31


FORMATS = FormatChecker(formats=())
FORMATS.checkers = {
    "snowflake": (_is_snowflake, ()),
    "date-time": (_is_time, ValueError),
    "uri": (_is_address, ()),
    "int32": (_is_int32, ()),
}
