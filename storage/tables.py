"""The schema: what is remembered, as SQLAlchemy tables.

A guild id of 0 stands for direct messages, where Discord has no guild. Amounts are device
milliseconds. The ledger moves amounts between an account's pockets, and the account row holds
the balance that the sums must give:

=========  =======================  ==========================================
kind       moves                    written
=========  =======================  ==========================================
grant      nothing -> available     when somebody is given more, for a window or until used
reserve    available -> reserved    with the job, in one transaction
settle     reserved -> used         with the output, at most what was reserved
overrun    available -> used        with the output, what exceeded the reserve
refund     reserved -> available    with the output or the failure: the rest
reset      used -> available        when an admin takes a window's use for not used
=========  =======================  ==========================================
"""

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from storage.types import (
    PlainText,
    SealedBytes,
    SealedJson,
    SealedText,
    SealedToken,
    UtcDateTime,
    sequence_type,
)

DIRECT_MESSAGES = 0
MAX_AMOUNT_MS = 10**12
MAX_BALANCE_MS = 10**15
MAX_RETENTION_DAYS = 36_500

Snowflake = Annotated[int, mapped_column(BigInteger)]
SnowflakeKey = Annotated[int, mapped_column(BigInteger, primary_key=True, autoincrement=False)]
CountedKey = Annotated[int, mapped_column(sequence_type(), primary_key=True)]
JobId = Annotated[str, mapped_column(PlainText(32))]
Digest = Annotated[str, mapped_column(PlainText(64))]
Word = Annotated[str, mapped_column(PlainText(64))]
Name = Annotated[str, mapped_column(PlainText(200))]
Token = Annotated[str, mapped_column(SealedToken())]
LongText = Annotated[str, mapped_column(PlainText())]
Moment = Annotated[datetime, mapped_column(UtcDateTime())]
Amount = Annotated[int, mapped_column(BigInteger)]
Figure = Annotated[float, mapped_column(Double())]
Words = Annotated[str, mapped_column(SealedText())]
SecretBytes = Annotated[bytes, mapped_column(SealedBytes())]
SecretJson = Annotated[Any, mapped_column(SealedJson())]
Json = Annotated[Any, mapped_column(JSON(none_as_null=True))]


class Base(DeclarativeBase):
    """The declarative base: names of constraints follow one convention on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def _within(column: str, *, low: int = 0, high: int = MAX_AMOUNT_MS) -> CheckConstraint:
    return CheckConstraint(f"{column} BETWEEN {low} AND {high}", name=f"{column}_range")


def _one_of(column: str, *words: str) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


class GuildRow(Base):
    """A Discord server, or direct messages (id 0).

    When the bot was last seen in it is null where it never was: members may bring it along.
    """

    __tablename__ = "guilds"
    __table_args__ = (CheckConstraint("id >= 0", name="id_range"),)

    id: Mapped[SnowflakeKey]
    first_seen_at: Mapped[Moment]
    present_at: Mapped[Moment | None]


class MemberRow(Base):
    """A user in one guild."""

    __tablename__ = "members"
    __table_args__ = (CheckConstraint("member_id >= 0", name="member_id_range"),)

    guild_id: Mapped[SnowflakeKey] = mapped_column(ForeignKey("guilds.id"))
    member_id: Mapped[SnowflakeKey]
    first_seen_at: Mapped[Moment]


class FileRow(Base):
    """A stored file; the inputs and outputs that refer to it keep it alive."""

    __tablename__ = "files"
    __table_args__ = (_within("size_bytes", high=2**40),)

    sha256: Mapped[Digest] = mapped_column(primary_key=True)
    size_bytes: Mapped[Amount]
    place: Mapped[Name]
    media_type: Mapped[Word]
    created_at: Mapped[Moment]


class JobRow(Base):
    """One picture asked for, from acceptance to delivery; a purge empties it but keeps it.

    A queued job with ``not_before`` rests until then; a failed one with ``dead_at`` lies with the
    dead letters; one with ``held_at`` is held, or was, until somebody approved its pictures. The
    weights are how many times a usual share of the engines the job's guild, and in it its member,
    have; null is once. The roles are those that the member had when they asked. How many pictures
    came out and the bytes that went in and came out stay when the files go; jobs of before lack all
    four.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        ForeignKeyConstraint(["guild_id", "member_id"], ["members.guild_id", "members.member_id"]),
        UniqueConstraint("interaction_id"),
        UniqueConstraint("nonce"),
        _one_of("state", "queued", "running", "held", "done", "failed", "cancelled"),
        _within("reserve_ms", low=1),
        _within("device_ms"),
        _within("wait_ms"),
        _within("attempt", high=1000),
        _within("seed", high=2**32 - 1),
        Index(None, "state", "created_at"),
        Index(None, "guild_id", "member_id", "created_at"),
        Index(None, "guild_id", "created_at"),
        Index(None, "parent_id"),
        Index(
            "ix_jobs_undelivered",
            "finished_at",
            sqlite_where=text("delivered_at IS NULL"),
            postgresql_where=text("delivered_at IS NULL"),
        ),
        Index(
            "ix_jobs_dead",
            "guild_id",
            "dead_at",
            sqlite_where=text("dead_at IS NOT NULL"),
            postgresql_where=text("dead_at IS NOT NULL"),
        ),
    )

    id: Mapped[JobId] = mapped_column(primary_key=True)
    interaction_id: Mapped[Snowflake]
    guild_id: Mapped[Snowflake]
    channel_id: Mapped[Snowflake]
    member_id: Mapped[Snowflake]
    command: Mapped[Word]
    pipeline: Mapped[Word]
    model: Mapped[Name | None]
    prompt: Mapped[Words | None]
    parameters: Mapped[SecretJson | None]
    seed: Mapped[Amount]
    locale: Mapped[Word]
    parent_id: Mapped[JobId | None] = mapped_column(ForeignKey("jobs.id"))
    nonce: Mapped[Word]
    interaction_token: Mapped[Token | None]
    token_expires_at: Mapped[Moment]
    state: Mapped[Word]
    attempt: Mapped[int]
    owner: Mapped[Name | None]
    lease_expires_at: Mapped[Moment | None]
    reserve_ms: Mapped[Amount]
    device_ms: Mapped[Amount | None]
    wait_ms: Mapped[Amount | None]
    error: Mapped[LongText | None]
    notes: Mapped[SecretJson | None]
    created_at: Mapped[Moment]
    started_at: Mapped[Moment | None]
    finished_at: Mapped[Moment | None]
    message_id: Mapped[Snowflake | None]
    delivered_at: Mapped[Moment | None]
    deleted_at: Mapped[Moment | None]
    purged_at: Mapped[Moment | None]
    role_ids: Mapped[Json | None]
    pictures: Mapped[int | None]
    input_bytes: Mapped[Amount | None]
    output_bytes: Mapped[Amount | None]
    not_before: Mapped[Moment | None]
    deadline_at: Mapped[Moment | None]
    dead_at: Mapped[Moment | None]
    guild_weight: Mapped[Figure | None]
    member_weight: Mapped[Figure | None]
    held_at: Mapped[Moment | None]


class AcknowledgementRow(Base):
    """A command that was acknowledged, and neither is a job nor has been answered yet."""

    __tablename__ = "acknowledgements"

    interaction_id: Mapped[SnowflakeKey]
    token: Mapped[Token]
    token_expires_at: Mapped[Moment]
    locale: Mapped[Word]
    owner: Mapped[Name]
    lease_expires_at: Mapped[Moment]


class PreviewRow(Base):
    """A small picture of a job as it forms, for the process that shows it; gone with the answer."""

    __tablename__ = "previews"

    job_id: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    data: Mapped[SecretBytes]
    updated_at: Mapped[Moment]


class InputRow(Base):
    """A picture that went into a job: the one to change, an artwork, a mask; the bot names it."""

    __tablename__ = "inputs"
    __table_args__ = (Index(None, "sha256"),)

    job_id: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    role: Mapped[Word] = mapped_column(primary_key=True)
    sha256: Mapped[Digest] = mapped_column(ForeignKey("files.sha256"))


class OutputRow(Base):
    """A picture that came out of a job; those that could not be made leave their numbers out.

    How much it differs from the picture that it was made from is null where there is none, and in
    jobs of before that was calculated; ``psnr`` is null, too, where nothing differs.
    """

    __tablename__ = "outputs"
    __table_args__ = (_within("number", high=1000), Index(None, "sha256"))

    job_id: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False, server_default=text("0")
    )
    sha256: Mapped[Digest] = mapped_column(ForeignKey("files.sha256"))
    created_at: Mapped[Moment]
    mse: Mapped[Figure | None]
    psnr: Mapped[Figure | None]
    ssim: Mapped[Figure | None]
    compared: Mapped[Word | None]


class PolicyRow(Base):
    """A limit for a window; 0 stands for any guild or any member.

    The subject is the member, role or channel that it is about.
    """

    __tablename__ = "quota_policies"
    __table_args__ = (
        UniqueConstraint("scope", "guild_id", "subject_id", "period"),
        _one_of("scope", "member", "guild", "global", "role", "channel"),
        _one_of("period", "hour", "day", "month"),
        _within("limit_ms"),
    )

    id: Mapped[CountedKey]
    scope: Mapped[Word]
    guild_id: Mapped[Snowflake]
    subject_id: Mapped[Snowflake] = mapped_column("member_id", key="subject_id")
    period: Mapped[Word]
    limit_ms: Mapped[Amount]
    updated_at: Mapped[Moment]


class AccountRow(Base):
    """The balance of one member, channel, guild or installation in one window of time.

    A share is what the installation allows a guild; what lasts for ever is a member's top-up.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("scope", "guild_id", "subject_id", "period", "window_start"),
        _one_of("scope", "member", "guild", "global", "channel", "share"),
        _one_of("period", "hour", "day", "month", "ever"),
        _within("granted_ms", high=MAX_BALANCE_MS),
        _within("reserved_ms", high=MAX_BALANCE_MS),
        _within("used_ms", high=MAX_BALANCE_MS),
    )

    id: Mapped[CountedKey]
    scope: Mapped[Word]
    guild_id: Mapped[Snowflake]
    subject_id: Mapped[Snowflake] = mapped_column("member_id", key="subject_id")
    period: Mapped[Word]
    window_start: Mapped[Moment]
    granted_ms: Mapped[Amount]
    reserved_ms: Mapped[Amount]
    used_ms: Mapped[Amount]


class LedgerRow(Base):
    """One movement on an account; rows are only ever added."""

    __tablename__ = "ledger"
    __table_args__ = (
        UniqueConstraint("account_id", "job_id", "kind"),
        _one_of("kind", "grant", "reserve", "settle", "overrun", "refund", "reset"),
        CheckConstraint("(kind IN ('grant', 'reset')) = (job_id IS NULL)", name="job_id_given"),
        _within("amount_ms", low=1),
        Index(None, "job_id"),
    )

    id: Mapped[CountedKey]
    account_id: Mapped[Amount] = mapped_column(ForeignKey("accounts.id"))
    job_id: Mapped[JobId | None] = mapped_column(ForeignKey("jobs.id"))
    kind: Mapped[Word]
    amount_ms: Mapped[Amount]
    created_at: Mapped[Moment]


class KeyValueRow(Base):
    """A small fact that the bot keeps, such as the hash of the commands it has synced."""

    __tablename__ = "key_values"

    key: Mapped[Name] = mapped_column(primary_key=True)
    value: Mapped[LongText]
    updated_at: Mapped[Moment]


class GuildSettingsRow(Base):
    """What a guild's admins have chosen; without a row, and where it is null, the operator's."""

    __tablename__ = "guild_settings"
    __table_args__ = (
        _one_of("safety", "off", "spoiler", "block"),
        _within("retention_days", low=1, high=MAX_RETENTION_DAYS),
        CheckConstraint("strength > 0 AND strength <= 1", name="strength_range"),
        _within("warnings", low=1, high=1000),
    )

    guild_id: Mapped[SnowflakeKey] = mapped_column(ForeignKey("guilds.id"))
    safety: Mapped[Word | None]
    time_zone: Mapped[Word | None]
    retention_days: Mapped[int | None]
    language: Mapped[Word | None]
    model: Mapped[Word | None]
    preset: Mapped[Word | None]
    strength: Mapped[Figure | None]
    warnings: Mapped[int | None]
    updated_at: Mapped[Moment]


class WordRuleRow(Base):
    """A word that a guild does not want in prompts, by what it is compared as."""

    __tablename__ = "word_rules"
    __table_args__ = (_one_of("action", "warn", "block"),)

    guild_id: Mapped[SnowflakeKey] = mapped_column(ForeignKey("guilds.id"))
    plain: Mapped[Word] = mapped_column(primary_key=True)
    word: Mapped[Word]
    action: Mapped[Word]
    created_at: Mapped[Moment]


class GuildPresetRow(Base):
    """A preset of a guild's own; without fields, that the installation's is not offered there."""

    __tablename__ = "guild_presets"

    guild_id: Mapped[SnowflakeKey] = mapped_column(ForeignKey("guilds.id"))
    name: Mapped[Word] = mapped_column(primary_key=True)
    fields: Mapped[SecretJson | None]
    created_at: Mapped[Moment]


class PriorityRow(Base):
    """How many times a usual share of their guild's turns a member, or whoever has a role, has."""

    __tablename__ = "priorities"
    __table_args__ = (
        _one_of("scope", "member", "role"),
        CheckConstraint("weight >= 0.1 AND weight <= 10", name="weight_range"),
    )

    guild_id: Mapped[SnowflakeKey] = mapped_column(ForeignKey("guilds.id"))
    scope: Mapped[Word] = mapped_column(primary_key=True)
    subject_id: Mapped[SnowflakeKey]
    weight: Mapped[Figure]


class SwitchRow(Base):
    """A pipeline or preset that is off in a channel; channel 0 is the whole guild."""

    __tablename__ = "switched_off"
    __table_args__ = (_one_of("kind", "pipeline", "preset"),)

    guild_id: Mapped[SnowflakeKey] = mapped_column(ForeignKey("guilds.id"))
    channel_id: Mapped[SnowflakeKey]
    kind: Mapped[Word] = mapped_column(primary_key=True)
    name: Mapped[Word] = mapped_column(primary_key=True)


class BlockRow(Base):
    """A member who may ask for no pictures in a guild, until a moment or for good."""

    __tablename__ = "blocks"

    guild_id: Mapped[SnowflakeKey] = mapped_column(ForeignKey("guilds.id"))
    member_id: Mapped[SnowflakeKey]
    reason: Mapped[LongText]
    until: Mapped[Moment | None]
    created_at: Mapped[Moment]


class LeftOutRow(Base):
    """A member whose results are not shown to admins in small, in whatever guild."""

    __tablename__ = "left_out"

    member_id: Mapped[SnowflakeKey]
    created_at: Mapped[Moment]


class WarningRow(Base):
    """A prompt that broke a word rule and was made nevertheless, by its interaction."""

    __tablename__ = "word_warnings"
    __table_args__ = (Index(None, "guild_id", "member_id", "created_at"),)

    interaction_id: Mapped[SnowflakeKey]
    guild_id: Mapped[Snowflake] = mapped_column(ForeignKey("guilds.id"))
    member_id: Mapped[Snowflake]
    created_at: Mapped[Moment]


class ApprovalRow(Base):
    """A channel whose pictures are approved in another one before they are shown; 0 is the guild.

    The actor is who chose it last; the trouble keeps the bot from writing there, if any does.
    """

    __tablename__ = "approvals"

    guild_id: Mapped[SnowflakeKey] = mapped_column(ForeignKey("guilds.id"))
    channel_id: Mapped[SnowflakeKey]
    review_channel_id: Mapped[Snowflake]
    actor_id: Mapped[Snowflake]
    trouble: Mapped[Word | None]


class ReviewRow(Base):
    """A job that is held, and the message by which moderators decide on it.

    The message is null until it was sent, and 0 where it could not be. The device time is what the
    job is charged if it is approved. Once it is decided, the row stays until the message says so.
    """

    __tablename__ = "reviews"
    __table_args__ = (_within("device_ms"), Index(None, "guild_id", "created_at"))

    job_id: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    guild_id: Mapped[Snowflake] = mapped_column(ForeignKey("guilds.id"))
    channel_id: Mapped[Snowflake]
    message_id: Mapped[Snowflake | None]
    device_ms: Mapped[Amount]
    decided_by: Mapped[Snowflake | None]
    created_at: Mapped[Moment]


class DigestRow(Base):
    """That a guild has its usage told every week, in which channel, and how far that was done.

    The week is the date of the Monday at which the newest week ended that was told. Whoever holds
    the lease posts the next one. The actor is who chose it; what keeps the bot from writing there
    is null where nothing does, and otherwise ends it until it is chosen anew.
    """

    __tablename__ = "digests"

    guild_id: Mapped[SnowflakeKey] = mapped_column(ForeignKey("guilds.id"))
    channel_id: Mapped[Snowflake]
    actor_id: Mapped[Snowflake]
    week: Mapped[Word]
    owner: Mapped[Name | None]
    lease_expires_at: Mapped[Moment | None]
    trouble: Mapped[Word | None]


class AuditRow(Base):
    """One act of an admin: who, when, what, and how it was before and after; rows are only added.

    It never holds what members asked for.
    """

    __tablename__ = "audit"
    __table_args__ = (Index(None, "guild_id", "id"),)

    id: Mapped[CountedKey]
    guild_id: Mapped[Snowflake] = mapped_column(ForeignKey("guilds.id"))
    actor_id: Mapped[Snowflake]
    act: Mapped[Word]
    subject: Mapped[Word]
    before: Mapped[Json | None]
    after: Mapped[Json | None]
    created_at: Mapped[Moment]


class UsageRow(Base):
    """What the jobs of one guild amounted to in one UTC hour, day or month, by some dimensions.

    ``storage.cuts`` names the cuts. What a cut does not tell apart is 0 or empty, and so is the
    model of jobs that name none. ``storage.tallies`` says what the numbers are.
    """

    __tablename__ = "usage"
    __table_args__ = (
        _one_of("grain", "hour", "day", "month"),
        {"sqlite_with_rowid": False},
    )

    cut: Mapped[Word] = mapped_column(primary_key=True)
    grain: Mapped[Word] = mapped_column(primary_key=True)
    guild_id: Mapped[SnowflakeKey]
    start: Mapped[Moment] = mapped_column(primary_key=True)
    member_id: Mapped[SnowflakeKey]
    channel_id: Mapped[SnowflakeKey]
    role_id: Mapped[SnowflakeKey]
    pipeline: Mapped[Word] = mapped_column(primary_key=True)
    model: Mapped[Name] = mapped_column(primary_key=True)
    jobs: Mapped[Amount]
    done: Mapped[Amount]
    failures: Mapped[Amount]
    cancelled: Mapped[Amount]
    pictures: Mapped[Amount]
    device_ms: Mapped[Amount]
    refunded_ms: Mapped[Amount]
    waited: Mapped[Amount]
    wait_ms: Mapped[Amount]
    run_ms: Mapped[Amount]
    stored_bytes: Mapped[Amount]
    kept_bytes: Mapped[Amount]
    details: Mapped[Json]


class UsageDayRow(Base):
    """The jobs of a guild's UTC day that has many, as ``storage.packing`` packs them."""

    __tablename__ = "usage_days"

    guild_id: Mapped[SnowflakeKey]
    start: Mapped[Moment] = mapped_column(primary_key=True)
    packed: Mapped[bytes]


class UsageMarkRow(Base):
    """That the sums of a guild's day or month may not be up to date; triggers on jobs add these.

    Rows are only added and deleted: two transactions that change one day wait for each other in
    neither database, and what is deleted is what was read before the day was added up anew.
    """

    __tablename__ = "usage_marks"
    __table_args__ = (_one_of("grain", "day", "month"), Index(None, "grain", "start", "guild_id"))

    id: Mapped[CountedKey]
    grain: Mapped[Word]
    guild_id: Mapped[Snowflake]
    start: Mapped[Moment]


_COUNTED = (
    "guild_id, created_at, member_id, channel_id, role_ids, pipeline, model, state, error,"
    " reserve_ms, device_ms, wait_ms, started_at, finished_at, deleted_at, purged_at, pictures,"
    " input_bytes, output_bytes"
)
"""The columns that usage is made of; ``storage.tallies.job_numbers`` reads them."""


def _marking(row: str) -> str:
    """Return the statement that marks a job's day in SQLite, where a moment is a text."""
    day = f"substr({row}.created_at, 1, 10) || ' 00:00:00.000000'"
    return f"INSERT INTO usage_marks (grain, guild_id, start) SELECT 'day', {row}.guild_id, {day}"


_MOVED = "WHERE OLD.guild_id <> NEW.guild_id OR OLD.created_at <> NEW.created_at"
TRIGGERS = {
    "sqlite": (
        "DROP TRIGGER IF EXISTS usage_of_new_jobs",
        "DROP TRIGGER IF EXISTS usage_of_old_jobs",
        "DROP TRIGGER IF EXISTS usage_of_changed_jobs",
        f"CREATE TRIGGER usage_of_new_jobs AFTER INSERT ON jobs BEGIN {_marking('NEW')}; END",
        f"CREATE TRIGGER usage_of_old_jobs AFTER DELETE ON jobs BEGIN {_marking('OLD')}; END",
        f"CREATE TRIGGER usage_of_changed_jobs AFTER UPDATE OF {_COUNTED} ON jobs"
        f" BEGIN {_marking('NEW')}; {_marking('OLD')} {_MOVED}; END",
    ),
    "postgresql": (
        """
        CREATE OR REPLACE FUNCTION mark_usage() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'DELETE' THEN
                INSERT INTO usage_marks (grain, guild_id, start)
                VALUES ('day', NEW.guild_id, date_trunc('day', NEW.created_at, 'UTC'));
            END IF;
            IF TG_OP = 'DELETE' THEN
                INSERT INTO usage_marks (grain, guild_id, start)
                VALUES ('day', OLD.guild_id, date_trunc('day', OLD.created_at, 'UTC'));
            ELSIF TG_OP = 'UPDATE' THEN
                INSERT INTO usage_marks (grain, guild_id, start)
                SELECT 'day', OLD.guild_id, date_trunc('day', OLD.created_at, 'UTC')
                WHERE OLD.guild_id <> NEW.guild_id OR OLD.created_at <> NEW.created_at;
            END IF;
            RETURN NULL;
        END $$
        """,
        "DROP TRIGGER IF EXISTS usage_of_jobs ON jobs",
        f"CREATE TRIGGER usage_of_jobs AFTER INSERT OR DELETE OR UPDATE OF {_COUNTED} ON jobs"
        " FOR EACH ROW EXECUTE FUNCTION mark_usage()",
    ),
}
"""What marks the day of every job that is added, changed or deleted, by whomever it is.

The migrations' environment makes them anew at its end, for SQLite drops a table's triggers where
Alembic's batch mode builds the table anew.
"""
