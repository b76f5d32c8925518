"""Every error the sandbox answers with, in Discord's own words and numbers.

Source: Discord's documentation, "Opcodes and Status Codes", JSON error codes.
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sandbox.replies import json_response


class SandboxError(Exception):
    """Any error the sandbox answers with."""


class MemberError(SandboxError):
    """A member asked for something Discord's own client would not offer."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class ApiError(SandboxError):
    """A refusal of Discord's API: an HTTP status and a numbered reason."""

    def __init__(
        self,
        status: int,
        code: int,
        *,
        message: str,
        errors: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def response(self) -> web.Response:
        """Return the reply that carries this error."""
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.errors:
            body["errors"] = self.errors
        return json_response(body, status=self.status)


def unauthorized() -> ApiError:
    """Return the refusal of a missing or wrong bot token."""
    return ApiError(401, 0, message="401: Unauthorized")


def not_found() -> ApiError:
    """Return the refusal of a route that does not exist."""
    return ApiError(404, 0, message="404: Not Found")


def unknown_channel() -> ApiError:
    """Return error 10003."""
    return ApiError(404, 10003, message="Unknown Channel")


def unknown_guild() -> ApiError:
    """Return error 10004."""
    return ApiError(404, 10004, message="Unknown Guild")


def unknown_member() -> ApiError:
    """Return error 10007."""
    return ApiError(404, 10007, message="Unknown Member")


def unknown_message() -> ApiError:
    """Return error 10008."""
    return ApiError(404, 10008, message="Unknown Message")


def unknown_user() -> ApiError:
    """Return error 10013."""
    return ApiError(404, 10013, message="Unknown User")


def unknown_webhook() -> ApiError:
    """Return error 10015: no reply exists yet for this token."""
    return ApiError(404, 10015, message="Unknown Webhook")


def unknown_interaction() -> ApiError:
    """Return error 10062: never heard of, or not acknowledged within 3 seconds."""
    return ApiError(404, 10062, message="Unknown interaction")


def unknown_command() -> ApiError:
    """Return error 10063."""
    return ApiError(404, 10063, message="Unknown application command")


def unknown_entitlement() -> ApiError:
    """Return error 10106."""
    return ApiError(404, 10106, message="Unknown entitlement")


def already_acknowledged() -> ApiError:
    """Return error 40060: a second answer to one interaction."""
    return ApiError(400, 40060, message="Interaction has already been acknowledged.")


def too_large() -> ApiError:
    """Return error 40005: a file over the size limit."""
    return ApiError(413, 40005, message="Request entity too large")


def missing_access() -> ApiError:
    """Return error 50001: the channel cannot be seen."""
    return ApiError(403, 50001, message="Missing Access")


def not_the_author() -> ApiError:
    """Return error 50005: only the author edits a message."""
    return ApiError(403, 50005, message="Cannot edit a message authored by another user")


def empty_message() -> ApiError:
    """Return error 50006: a message with nothing in it."""
    return ApiError(400, 50006, message="Cannot send an empty message")


def missing_permissions() -> ApiError:
    """Return error 50013."""
    return ApiError(403, 50013, message="Missing Permissions")


def expired_token() -> ApiError:
    """Return error 50027: an interaction token after 15 minutes."""
    return ApiError(401, 50027, message="Invalid Webhook Token")


def invalid_form(path: str, *, message: str, code: str = "BASE_TYPE_BAD_LENGTH") -> ApiError:
    """Return error 50035 for one dotted path of the body, such as ``data.content``."""
    errors: dict[str, Any] = {"_errors": [{"code": code, "message": message}]}
    for key in reversed(path.split(".")):
        errors = {key: errors}
    return ApiError(400, 50035, message="Invalid Form Body", errors=errors)


def invalid_json() -> ApiError:
    """Return error 50109: a body that is not JSON."""
    return ApiError(400, 50109, message="The request body contains invalid JSON.")


def too_many_followups() -> ApiError:
    """Return error 40094: the sixth follow-up of an application that only the user installed."""
    return ApiError(
        400, 40094, message="Cannot send more than 5 followup messages for this interaction"
    )
