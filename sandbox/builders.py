"""Payloads as Discord writes them, built from what the sandbox remembers.

One builder writes for one client: addresses of files depend on how the client reached us.
"""

from dataclasses import dataclass, field
from typing import Any

from sandbox import permissions
from sandbox.links import Links
from sandbox.media import resolved_components, resolved_embeds
from sandbox.replies import Payload
from sandbox.state import (
    DIRECT_CHANNEL,
    Attachment,
    Channel,
    Guild,
    Member,
    Message,
    Role,
    State,
    User,
)

APPLICATION_FLAGS = (1 << 13) | (1 << 15) | (1 << 19) | (1 << 23)
FILE_LIMITS = {0: 10 << 20, 1: 10 << 20, 2: 50 << 20, 3: 100 << 20}


def user_payload(user: User) -> Payload:
    """Return a user object."""
    payload: Payload = {
        "id": str(user.id),
        "username": user.username,
        "discriminator": "0" if not user.bot else "0001",
        "global_name": None if user.bot else user.name,
        "avatar": None,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
    }
    if user.bot:
        payload["bot"] = True
    return payload


def own_user_payload(user: User) -> Payload:
    """Return the user object that only the account itself sees."""
    return user_payload(user) | {
        "mfa_enabled": False,
        "verified": True,
        "locale": user.locale,
        "email": None,
    }


def role_payload(role: Role) -> Payload:
    """Return a role object."""
    return {
        "id": str(role.id),
        "name": role.name,
        "permissions": str(role.permissions),
        "position": role.position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def member_payload(member: Member, *, with_user: bool = True) -> Payload:
    """Return a guild member object; its roles are ids."""
    payload: Payload = {
        "roles": [str(role_id) for role_id in member.role_ids],
        "nick": member.nick,
        "avatar": None,
        "banner": None,
        "joined_at": member.joined_at.isoformat(),
        "premium_since": None,
        "communication_disabled_until": None,
        "pending": False,
        "mute": False,
        "deaf": False,
        "flags": 0,
    }
    if with_user:
        payload["user"] = user_payload(member.user)
    return payload


@dataclass(slots=True, kw_only=True)
class ResolvedObjects:
    """Everything that the ids in an interaction's data mean."""

    users: list[User] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    roles: list[Role] = field(default_factory=list)
    channels: list[Channel] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Builds payloads for one client."""

    state: State
    links: Links

    def channel(self, channel: Channel) -> Payload:
        """Return a channel object of a guild or a direct channel."""
        newest = next(self.state.history(channel.id), None)
        payload: Payload = {
            "id": str(channel.id),
            "type": channel.type,
            "flags": 0,
            "last_message_id": str(newest.id) if newest else None,
        }
        if channel.type == DIRECT_CHANNEL:
            users = [self.state.users[user_id] for user_id in channel.recipient_ids]
            return payload | {"recipients": [user_payload(user) for user in users]}
        return payload | {
            "guild_id": str(channel.guild_id),
            "name": channel.name,
            "position": channel.position,
            "topic": channel.topic,
            "nsfw": channel.nsfw,
            "parent_id": None,
            "rate_limit_per_user": 0,
            "permission_overwrites": [
                {
                    "id": str(target),
                    "type": 0 if target in self.state.guilds[channel.guild_id or 0].roles else 1,
                    "allow": str(overwrite.allow),
                    "deny": str(overwrite.deny),
                }
                for target, overwrite in channel.overwrites.items()
            ],
        }

    def channel_for(self, channel: Channel, user_id: int) -> Payload:
        """Return a channel as an interaction names it, with the user's permissions there."""
        granted = permissions.in_channel(self.state, channel, user_id=user_id)
        return self.channel(channel) | {"permissions": str(granted)}

    def guild(self, guild: Guild) -> Payload:
        """Return a guild object as REST gives it."""
        return {
            "id": str(guild.id),
            "name": guild.name,
            "owner_id": str(guild.owner_id),
            "roles": [role_payload(role) for role in guild.roles.values()],
            "premium_tier": guild.premium_tier,
            "preferred_locale": guild.locale,
        } | GUILD_DEFAULTS

    def guild_create(self, guild: Guild) -> Payload:
        """Return the guild as the gateway announces it."""
        bot = guild.members[self.state.application.bot.id]
        return self.guild(guild) | {
            "joined_at": bot.joined_at.isoformat(),
            "large": False,
            "unavailable": False,
            "member_count": len(guild.members),
            "voice_states": [],
            "members": [member_payload(bot)],
            "channels": [self.channel(channel) for channel in self.state.guild_channels(guild.id)],
            "threads": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }

    def attachment(self, attachment: Attachment) -> Payload:
        """Return an attachment object; keys that are unknown are absent."""
        payload: Payload = {
            "id": str(attachment.id),
            "filename": attachment.filename,
            "size": attachment.size,
            "url": self.links.url(attachment),
            "proxy_url": self.links.proxy_url(attachment),
        }
        for key in ("content_type", "description", "title", "width", "height"):
            value = getattr(attachment, key)
            if value is not None:
                payload[key] = value
        if attachment.ephemeral:
            payload["ephemeral"] = True
        return payload

    def interaction_data(self, data: Payload, resolved: ResolvedObjects) -> Payload:
        """Return an interaction's data; groups of resolved objects that are empty are absent."""
        groups: dict[str, Payload] = {
            "users": {str(found.id): user_payload(found) for found in resolved.users},
            "members": {
                str(found.user.id): self._resolved_member(found) for found in resolved.members
            },
            "roles": {str(found.id): role_payload(found) for found in resolved.roles},
            "channels": {
                str(found.id): self._resolved_channel(found) for found in resolved.channels
            },
            "messages": {str(found.id): self.message(found) for found in resolved.messages},
            "attachments": {
                str(found.id): self.attachment(found) for found in resolved.attachments
            },
        }
        filled = {name: group for name, group in groups.items() if group}
        return data | {"resolved": filled} if filled else data

    def _resolved_member(self, member: Member) -> Payload:
        payload = member_payload(member, with_user=False)
        payload["permissions"] = str(permissions.PLAIN)
        return payload

    def _resolved_channel(self, channel: Channel) -> Payload:
        return self.channel_for(channel, self.state.application.bot.id)

    def message(self, message: Message, *, with_reference: bool = True) -> Payload:
        """Return a message object."""
        files = {found.filename: self.attachment(found) for found in message.attachments}
        components = resolved_components(message.components, files)
        embeds = resolved_embeds(message.embeds, files)
        payload: Payload = {
            "id": str(message.id),
            "channel_id": str(message.channel_id),
            "type": message.type,
            "author": user_payload(message.author),
            "content": message.content,
            "timestamp": message.created_at.isoformat(),
            "edited_timestamp": message.edited_at.isoformat() if message.edited_at else None,
            "flags": message.flags,
            "tts": message.tts,
            "pinned": message.pinned,
            "mention_everyone": message.mention_everyone,
            "mentions": [user_payload(self.state.users[found]) for found in message.mention_ids],
            "mention_roles": [str(found) for found in message.mention_role_ids],
            # A file that an embed shows is not listed beside it; one that a component shows is.
            "attachments": [file for name, file in files.items() if name not in embeds.used],
            "embeds": embeds.items,
            "components": components,
        }
        return payload | self._message_extras(message, with_reference=with_reference)

    def _message_extras(self, message: Message, *, with_reference: bool) -> Payload:
        extras: Payload = {}
        for key in ("application_id", "webhook_id"):
            if getattr(message, key) is not None:
                extras[key] = str(getattr(message, key))
        if message.nonce is not None:
            extras["nonce"] = message.nonce
        if message.interaction_metadata is not None:
            extras["interaction_metadata"] = message.interaction_metadata
        if message.reactions:
            extras["reactions"] = [self._reaction(*found) for found in message.reactions.items()]
        if message.reference_id is not None:
            extras["message_reference"] = self._reference(message)
            if with_reference:
                found = self.state.find_message(message.channel_id, message.reference_id)
                extras["referenced_message"] = (
                    self.message(found, with_reference=False) if found else None
                )
        return extras

    def _reference(self, message: Message) -> Payload:
        channel = self.state.channels[message.channel_id]
        reference: Payload = {
            "type": 0,
            "channel_id": str(channel.id),
            "message_id": str(message.reference_id),
        }
        if channel.guild_id is not None:
            reference["guild_id"] = str(channel.guild_id)
        return reference

    def _reaction(self, emoji: str, user_ids: set[int]) -> Payload:
        return {
            "emoji": {"id": None, "name": emoji},
            "count": len(user_ids),
            "count_details": {"burst": 0, "normal": len(user_ids)},
            "burst_colors": [],
            "me_burst": False,
            "burst_me": False,
            "me": self.state.application.bot.id in user_ids,
            "burst_count": 0,
        }

    def gateway_message(self, message: Message) -> Payload:
        """Return a message as the gateway sends it, with the guild and the author's member."""
        payload = self.message(message)
        channel = self.state.channels[message.channel_id]
        member = self.state.member_of(channel, message.author.id)
        if channel.guild_id is not None:
            payload["guild_id"] = str(channel.guild_id)
        if member is not None:
            payload["member"] = member_payload(member, with_user=False)
        return payload

    def application(self) -> Payload:
        """Return the application under test as it sees itself."""
        application = self.state.application
        owner = self.state.users[application.owner_id]
        return APPLICATION_DEFAULTS | {
            "id": str(application.id),
            "name": application.name,
            "bot": user_payload(application.bot),
            "owner": user_payload(owner),
            "flags": APPLICATION_FLAGS,
            "flags_new": str(APPLICATION_FLAGS),
            "integration_types_config": {str(kind): {} for kind in application.integration_types},
        }


APPLICATION_DEFAULTS: dict[str, Any] = {
    "icon": None,
    "description": "",
    "type": None,
    "bot_public": True,
    "bot_require_code_grant": False,
    "verify_key": "0" * 64,
    "redirect_uris": [],
    "interactions_endpoint_url": None,
    "role_connections_verification_url": None,
    "approximate_guild_count": 1,
    "approximate_user_install_count": 0,
    "approximate_user_authorization_count": 0,
    "explicit_content_filter": 0,
    "team": None,
    "eligible_oauth2_scopes": [],
}

GUILD_DEFAULTS: dict[str, Any] = {
    "icon": None,
    "description": None,
    "home_header": None,
    "splash": None,
    "discovery_splash": None,
    "features": [],
    "banner": None,
    "application_id": None,
    "region": "deprecated",
    "afk_channel_id": None,
    "afk_timeout": 300,
    "system_channel_id": None,
    "system_channel_flags": 0,
    "widget_enabled": False,
    "widget_channel_id": None,
    "verification_level": 0,
    "default_message_notifications": 0,
    "mfa_level": 0,
    "explicit_content_filter": 0,
    "max_presences": None,
    "max_members": 500_000,
    "max_stage_video_channel_users": 50,
    "max_video_channel_users": 25,
    "vanity_url_code": None,
    "premium_subscription_count": 0,
    "rules_channel_id": None,
    "safety_alerts_channel_id": None,
    "public_updates_channel_id": None,
    "premium_progress_bar_enabled": False,
    "nsfw": False,
    "nsfw_level": 0,
    "emojis": [],
    "stickers": [],
    "incidents_data": None,
}
