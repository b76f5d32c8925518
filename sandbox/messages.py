"""Messages: made, edited and deleted by Discord's rules, and told to everybody who sees them."""

import re
from collections.abc import Sequence
from dataclasses import replace

from sandbox.audience import Audience
from sandbox.components import checked_message_components
from sandbox.errors import empty_message, invalid_form
from sandbox.gateway import Gateway
from sandbox.replies import Payload
from sandbox.state import (
    COMPONENTS_V2,
    EPHEMERAL,
    LOADING,
    SUPPRESS_EMBEDS,
    Attachment,
    Channel,
    Message,
    State,
)
from sandbox.uploads import Draft, FileStore, safe_name

MAX_CONTENT = 2000
MAX_EMBED_TEXT = 6000
SETTABLE_FLAGS = SUPPRESS_EMBEDS | COMPONENTS_V2 | (1 << 12)
NONCE_WINDOW_S = 180


class Messages:
    """Writes messages into channels and announces every change."""

    def __init__(
        self, *, state: State, files: FileStore, gateway: Gateway, audience: Audience
    ) -> None:
        self._state = state
        self._files = files
        self._gateway = gateway
        self._audience = audience

    async def post(self, message: Message, draft: Draft) -> Message:
        """Fill a new message from a draft and publish it.

        Raises:
            ApiError: 50006 for nothing to show, 50035 for what Discord refuses.
        """
        message.flags |= int(draft.payload.get("flags") or 0) & (SETTABLE_FLAGS | EPHEMERAL)
        self._write(message, draft)
        await self.publish(message)
        return message

    async def publish(self, message: Message) -> None:
        """Remember a new message and tell everybody who sees it."""
        self._state.add_message(message)
        await self._gateway.dispatch_message("MESSAGE_CREATE", message)
        await self._audience.tell_message("MESSAGE_CREATE", message)

    def nonce_twin(self, channel: Channel, payload: Payload) -> Message | None:
        """Return the bot's recent message with the same enforced nonce, or None."""
        nonce = payload.get("nonce")
        if not payload.get("enforce_nonce") or nonce is None:
            return None
        now = self._state.clock.now()
        for message in self._state.history(channel.id):
            if (now - message.created_at).total_seconds() > NONCE_WINDOW_S:
                return None
            if message.nonce == nonce and message.author.id == self._state.application.bot.id:
                return message
        return None

    async def edit(self, message: Message, draft: Draft) -> Message:
        """Change a message as a PATCH asks; keys that are absent stay as they are.

        Raises:
            ApiError: 50006 or 50035; the message is then unchanged.
        """
        flags = int(draft.payload.get("flags") or 0) & SETTABLE_FLAGS
        changed = replace(message, flags=(message.flags & ~LOADING) | flags)
        self._write(changed, draft)
        if not message.loading:
            changed.edited_at = self._state.clock.now()
        self._state.add_message(changed)
        await self._gateway.dispatch_message("MESSAGE_UPDATE", changed)
        await self._audience.tell_message("MESSAGE_UPDATE", changed)
        return changed

    async def delete(self, message: Message) -> None:
        """Remove a message and tell everybody who saw it."""
        self._state.remove_message(message)
        await self._gateway.dispatch_deletion(message)
        await self._audience.tell_message("MESSAGE_DELETE", message)

    def _write(self, message: Message, draft: Draft) -> None:
        payload = draft.payload
        message.attachments = self._attachments(message, draft)
        if "content" in payload:
            message.content = str(payload["content"] or "")
        if "embeds" in payload or payload.get("embed"):
            message.embeds = payload.get("embeds") or []
        v2 = bool(message.flags & COMPONENTS_V2)
        if "components" in payload:
            names = frozenset(found.filename for found in message.attachments)
            message.components = checked_message_components(
                payload["components"] or [], v2=v2, filenames=names
            )
        _check(message, v2=v2)
        self._mention(message, payload)

    def _attachments(self, message: Message, draft: Draft) -> list[Attachment]:
        listed = draft.payload.get("attachments")
        kept = list(message.attachments)
        if listed is not None:
            wanted = {str(found.get("id")): found for found in listed}
            kept = [
                replace(old, description=wanted[str(old.id)].get("description", old.description))
                for old in kept
                if str(old.id) in wanted
            ]
        described = {str(found.get("id")): found for found in listed or ()}
        added = [
            self._added(message, index, draft=draft, described=described)
            for index in sorted(draft.files)
        ]
        if len(kept) + len(added) > 10:
            raise invalid_form("attachments", message="Must be 10 or fewer in length.")
        return kept + added

    def _added(
        self, message: Message, index: int, *, draft: Draft, described: dict[str, Payload]
    ) -> Attachment:
        file = draft.files[index]
        words = described.get(str(index), {})
        named = replace(file, filename=words.get("filename") or file.filename)
        attachment = self._files.add(named, folder_id=message.channel_id)
        attachment.description = words.get("description")
        attachment.title = words.get("title")
        attachment.filename = safe_name(attachment.filename)
        return attachment

    def _mention(self, message: Message, payload: Payload) -> None:
        allowed = payload.get("allowed_mentions")
        kinds = {"users", "roles", "everyone"} if allowed is None else set(allowed.get("parse", ()))
        named = {int(found) for found in (allowed or {}).get("users", ())}
        found = [int(user_id) for user_id in re.findall(r"<@!?(\d+)>", message.content)]
        message.mention_ids = [
            user_id
            for user_id in dict.fromkeys(found)
            if user_id in self._state.users and ("users" in kinds or user_id in named)
        ]
        everyone = "@everyone" in message.content or "@here" in message.content
        message.mention_everyone = everyone and "everyone" in kinds


def _check(message: Message, *, v2: bool) -> None:
    if v2 and (message.content or message.embeds):
        raise invalid_form(
            "content" if message.content else "embeds",
            message="The 'content' and 'embeds' fields cannot be used with IS_COMPONENTS_V2",
            code="MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
        )
    if len(message.content) > MAX_CONTENT:
        raise invalid_form("content", message="Must be 2000 or fewer in length.")
    if len(message.embeds) > 10:
        raise invalid_form("embeds", message="Must be 10 or fewer in length.")
    if sum(_embed_text(message.embeds)) > MAX_EMBED_TEXT:
        raise invalid_form("embeds", message="Embed size exceeds maximum size of 6000")
    if not (message.content or message.embeds or message.components or message.attachments):
        raise empty_message()


def _embed_text(embeds: Sequence[Payload]) -> list[int]:
    lengths = []
    for embed in embeds:
        words = [embed.get("title"), embed.get("description"), embed.get("footer", {}).get("text")]
        words.append(embed.get("author", {}).get("name"))
        for field in embed.get("fields", ()):
            words += [field.get("name"), field.get("value")]
        lengths += [len(word) for word in words if word]
    return lengths
