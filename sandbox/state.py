"""What the sandbox remembers: users, guilds, channels, messages and files."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.clock import Clock

EPHEMERAL = 1 << 6
LOADING = 1 << 7
SUPPRESS_EMBEDS = 1 << 2
COMPONENTS_V2 = 1 << 15

TEXT_CHANNEL = 0
DIRECT_CHANNEL = 1


@dataclass(slots=True, kw_only=True)
class User:
    """An account: a person or the bot."""

    id: int
    name: str
    bot: bool = False
    locale: str = "en-US"

    @property
    def username(self) -> str:
        """The unique lower-case handle."""
        return self.name.lower().replace(" ", "_")


@dataclass(slots=True, kw_only=True)
class Role:
    """A named set of permissions in one guild."""

    id: int
    name: str
    permissions: int
    position: int = 0


@dataclass(slots=True, kw_only=True)
class Member:
    """A user within a guild."""

    user: User
    role_ids: list[int]
    joined_at: datetime
    nick: str | None = None


@dataclass(slots=True, kw_only=True)
class Overwrite:
    """What a channel allows or denies to one role or member, beyond the guild's roles."""

    allow: int = 0
    deny: int = 0


@dataclass(slots=True, kw_only=True)
class Channel:
    """A text channel of a guild, or a direct channel between two users."""

    id: int
    type: int
    name: str
    guild_id: int | None = None
    recipient_ids: tuple[int, ...] = ()
    position: int = 0
    topic: str | None = None
    nsfw: bool = False
    overwrites: dict[int, Overwrite] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Guild:
    """A server with its roles and members."""

    id: int
    name: str
    owner_id: int
    premium_tier: int = 0
    locale: str = "en-US"
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Attachment:
    """A file as its sender described it; the bytes lie in the file store."""

    id: int
    folder_id: int
    filename: str
    size: int
    content_type: str | None = None
    description: str | None = None
    title: str | None = None
    width: int | None = None
    height: int | None = None
    ephemeral: bool = False


@dataclass(slots=True, kw_only=True)
class Message:
    """A message; ``ephemeral_for`` is the only member who sees it, ``command`` what it answers."""

    id: int
    channel_id: int
    author: User
    created_at: datetime
    content: str = ""
    type: int = 0
    flags: int = 0
    tts: bool = False
    pinned: bool = False
    embeds: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    mention_ids: list[int] = field(default_factory=list)
    mention_role_ids: list[int] = field(default_factory=list)
    mention_everyone: bool = False
    edited_at: datetime | None = None
    nonce: str | int | None = None
    application_id: int | None = None
    webhook_id: int | None = None
    reference_id: int | None = None
    interaction_metadata: dict[str, Any] | None = None
    ephemeral_for: int | None = None
    command: str | None = None
    reactions: dict[str, set[int]] = field(default_factory=dict)

    @property
    def loading(self) -> bool:
        """Whether this is the placeholder of a deferred reply."""
        return bool(self.flags & LOADING)

    def visible_to(self, user_id: int) -> bool:
        """Return whether this user may see the message."""
        return self.ephemeral_for in (None, user_id)


@dataclass(slots=True, kw_only=True)
class Application:
    """The application under test and its bot account."""

    id: int
    name: str
    bot: User
    token: str
    owner_id: int
    integration_types: tuple[int, ...] = (0, 1)


@dataclass(slots=True, kw_only=True)
class Memory:
    """Everything remembered, by id; ids are whole numbers inside and strings on the wire."""

    application: Application
    users: dict[int, User] = field(default_factory=dict)
    guilds: dict[int, Guild] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    messages: dict[int, dict[int, Message]] = field(default_factory=dict)
    files: dict[int, Attachment] = field(default_factory=dict)
    commands: dict[int, dict[int, dict[str, Any]]] = field(default_factory=dict)
    skus: list[dict[str, Any]] = field(default_factory=list)
    entitlements: dict[int, dict[str, Any]] = field(default_factory=dict)


class State:
    """Answers questions about what is remembered."""

    def __init__(self, *, clock: Clock, memory: Memory) -> None:
        self.clock = clock
        self.memory = memory

    @property
    def application(self) -> Application:
        """The application under test."""
        return self.memory.application

    @property
    def users(self) -> dict[int, User]:
        """Every account."""
        return self.memory.users

    @property
    def guilds(self) -> dict[int, Guild]:
        """Every guild, those without the bot among them."""
        return self.memory.guilds

    @property
    def channels(self) -> dict[int, Channel]:
        """Every channel."""
        return self.memory.channels

    def add_channel(self, channel: Channel) -> Channel:
        """Remember a channel."""
        self.channels[channel.id] = channel
        self.memory.messages.setdefault(channel.id, {})
        return channel

    def guild_channels(self, guild_id: int) -> list[Channel]:
        """Return the channels of a guild in their order."""
        found = [channel for channel in self.channels.values() if channel.guild_id == guild_id]
        return sorted(found, key=lambda channel: channel.position)

    def direct_channel(self, user_id: int) -> Channel:
        """Return the direct channel between the bot and a user, opened when needed."""
        for channel in self.channels.values():
            if channel.type == DIRECT_CHANNEL and user_id in channel.recipient_ids:
                return channel
        name = self.users[user_id].name
        return self.add_channel(
            Channel(
                id=self.clock.next_id(),
                type=DIRECT_CHANNEL,
                name=name,
                recipient_ids=(user_id,),
            )
        )

    def member_of(self, channel: Channel, user_id: int) -> Member | None:
        """Return the user as a member of the channel's guild, or None in a direct channel."""
        if channel.guild_id is None:
            return None
        return self.guilds[channel.guild_id].members.get(user_id)

    def add_message(self, message: Message) -> Message:
        """Remember a message in its channel."""
        self.memory.messages[message.channel_id][message.id] = message
        return message

    def find_message(self, channel_id: int, message_id: int) -> Message | None:
        """Return a message of a channel, or None."""
        return self.memory.messages.get(channel_id, {}).get(message_id)

    def remove_message(self, message: Message) -> None:
        """Forget a message."""
        self.memory.messages[message.channel_id].pop(message.id, None)

    def history(self, channel_id: int) -> Iterator[Message]:
        """Yield a channel's messages from the newest to the oldest."""
        stored = self.memory.messages.get(channel_id, {})
        for message_id in sorted(stored, reverse=True):
            yield stored[message_id]
