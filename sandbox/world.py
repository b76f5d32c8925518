"""The world a sandbox starts with: one application, one guild, two channels, three members."""

import base64
import secrets

from sandbox import permissions
from sandbox.clock import Clock
from sandbox.state import (
    TEXT_CHANNEL,
    Application,
    Channel,
    Guild,
    Member,
    Memory,
    Role,
    State,
    User,
)

CHANNELS = ("general", "pictures")
PEOPLE = (("Ada", False), ("Ben", False), ("Cleo", True))


def new_world(*, clock: Clock, bot_name: str) -> State:
    """Return a state with a guild in which everything can be tried."""
    application_id = clock.next_id()
    bot = User(id=application_id, name=bot_name, bot=True)
    people = [User(id=clock.next_id(), name=name) for name, _ in PEOPLE]
    application = Application(
        id=application_id,
        name=bot_name,
        bot=bot,
        token=new_token(application_id),
        owner_id=people[-1].id,
    )
    memory = Memory(application=application, users={bot.id: bot})
    state = State(clock=clock, memory=memory)
    state.users.update({person.id: person for person in people})
    guild = add_guild(state, name="Sandbox", owner_id=clock.next_id())
    admin = Role(
        id=clock.next_id(), name="Admin", permissions=permissions.ADMINISTRATOR, position=1
    )
    guild.roles[admin.id] = admin
    for person, (_, is_admin) in zip(people, PEOPLE, strict=True):
        join(state, guild, user=person, role_ids=[admin.id] if is_admin else [])
    return state


def add_guild(state: State, *, name: str, owner_id: int, with_bot: bool = True) -> Guild:
    """Add a guild with its channels; the bot is a member unless only users installed it."""
    guild = Guild(id=state.clock.next_id(), name=name, owner_id=owner_id)
    guild.roles[guild.id] = Role(id=guild.id, name="@everyone", permissions=permissions.PLAIN)
    state.guilds[guild.id] = guild
    for position, channel_name in enumerate(CHANNELS):
        state.add_channel(
            Channel(
                id=state.clock.next_id(),
                type=TEXT_CHANNEL,
                name=channel_name,
                guild_id=guild.id,
                position=position,
            )
        )
    if with_bot:
        join(state, guild, user=state.application.bot)
    return guild


def join(state: State, guild: Guild, *, user: User, role_ids: list[int] | None = None) -> Member:
    """Make a user a member of a guild."""
    state.users[user.id] = user
    member = Member(user=user, role_ids=role_ids or [], joined_at=state.clock.now())
    guild.members[user.id] = member
    return member


def is_admin(state: State, guild: Guild, *, user_id: int) -> bool:
    """Return whether a member may do everything in a guild."""
    return permissions.in_guild(guild, user_id) == permissions.ALL


def new_token(application_id: int) -> str:
    """Return a bot token of Discord's shape: the id, a time and a secret, joined by dots."""
    head = base64.urlsafe_b64encode(str(application_id).encode()).decode().rstrip("=")
    return f"{head}.{secrets.token_urlsafe(4)}.{secrets.token_urlsafe(28)}"
