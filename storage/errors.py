"""Every way in which remembering can fail.

StorageError
├── NotFoundError                no such job, or it belongs to another guild
├── NotOwnerError                the job belongs to another member
├── DecidedError                 the picture does not wait for approval, or does no more
├── PictureRefusedError          whoever had to approve the picture refused it
├── ReviewExpiredError           nobody approved the picture in time
├── QuotaExceededError           what is left to a member does not cover the reservation
│   ├── ChannelQuotaError        ... what is left in the channel
│   ├── GuildQuotaError          ... what is left to the guild
│   └── InstallationQuotaError   ... what is left to everybody
├── CutOffError                  a command's process went away before it was a job
├── InvalidAmountError           an amount is negative, zero where that means nothing, or absurd
├── UnknownTimeZoneError         this machine knows no time zone of that name
├── TextTooLongError             a text has more characters than are kept
├── TooManyError                 there are as many of something as are kept
├── FileStoreError               a stored file cannot be used
│   ├── InvalidDigestError       a name that is not a SHA-256 in lower-case hexadecimal
│   ├── FileMissingError         nothing is stored under that digest
│   ├── FileDamagedError         what is stored does not have that digest
│   ├── FilesAddressError        the address of a store of files cannot be used
│   └── FileRefusedError         where files are kept, they are not taken now, or not given
│       └── StoreFullError       ... because there is no room
├── SealingError                 what is encrypted cannot be used as asked
│   ├── KeyInvalidError          a key is none
│   └── KeyMissingError          the key that fits is not there, or what it fits was changed
├── BackupError                  a backup cannot be written, or not be restored
│   ├── AlreadyThereError        something lies where it would be written or restored to
│   ├── CarriedWrongError        what came into another database is not what was sent
│   ├── ArchiveError             it is no archive of ours, cut, damaged or tampered with
│   └── DumpError                PostgreSQL's own program for it is missing, or failed
└── DatabaseError                the database cannot be used as asked
    ├── UnsupportedDatabaseError an address of another kind than SQLite file or PostgreSQL
    ├── DatabaseMissingError     there is no such SQLite file to read
    ├── ReadOnlyError            a write through a database that was opened for reading
    ├── DatabaseHeldError        another process, usually the bot, holds the database
    ├── DatabaseFullError        its disk is full, and nothing was kept
    ├── DatabaseGoneError        its server does not answer, and nothing was kept
    │   └── UnsureError          ... or it went just as something was to be kept
    └── SchemaError              the database's schema is not the program's
        ├── SchemaOutdatedError  migrations have to be applied first
        └── SchemaTooNewError    a newer program has migrated this database
"""

from datetime import datetime


class StorageError(Exception):
    """Something could not be remembered or recalled."""


class NotFoundError(StorageError):
    """There is no such job here; a job of another guild counts as none."""


class NotOwnerError(StorageError):
    """The job belongs to another member."""


class DecidedError(StorageError):
    """The picture does not wait for approval, or does no more."""


class PictureRefusedError(StorageError):
    """Whoever had to approve the picture refused it; the job was refunded."""


class ReviewExpiredError(StorageError):
    """Nobody approved the picture in time; the job was refunded."""


class QuotaExceededError(StorageError):
    """What is left does not cover the reservation; nothing was booked.

    Args:
        scope: whose limit it is: ``member``, ``channel``, ``guild``, ``share`` or ``global``.
        limit_ms: device milliseconds in the window, grants included.
        remaining_ms: device milliseconds that are left in it.
        resets_at: when the next window starts.
    """

    def __init__(
        self, *, scope: str, limit_ms: int, remaining_ms: int, resets_at: datetime
    ) -> None:
        super().__init__(f"the {scope} quota has {remaining_ms} of {limit_ms} ms left")
        self.scope = scope
        self.limit_ms = limit_ms
        self.remaining_ms = remaining_ms
        self.resets_at = resets_at


class ChannelQuotaError(QuotaExceededError):
    """What all may spend in a channel does not cover the reservation."""


class GuildQuotaError(QuotaExceededError):
    """What a guild may spend does not cover the reservation."""


class InstallationQuotaError(QuotaExceededError):
    """What everybody may spend does not cover the reservation."""


_SHARED: dict[str, type[QuotaExceededError]] = {
    "channel": ChannelQuotaError,
    "guild": GuildQuotaError,
    "share": GuildQuotaError,
    "global": InstallationQuotaError,
}


def refusal_of(
    scope: str, *, limit_ms: int, remaining_ms: int, resets_at: datetime
) -> QuotaExceededError:
    """Return the error that says whose limit is reached."""
    kind = _SHARED.get(scope, QuotaExceededError)
    return kind(scope=scope, limit_ms=limit_ms, remaining_ms=remaining_ms, resets_at=resets_at)


class CutOffError(StorageError):
    """The process that acknowledged a command went away before the command was a job."""


class InvalidAmountError(StorageError):
    """An amount is negative, zero where that means nothing, or absurdly large."""


class UnknownTimeZoneError(StorageError):
    """This machine knows no time zone of that name."""


class TextTooLongError(StorageError):
    """A text has more characters than are kept."""


class TooManyError(StorageError):
    """There are as many of something as are kept; one has to go first."""


class FileStoreError(StorageError):
    """A stored file cannot be used."""


class InvalidDigestError(FileStoreError):
    """The name is not a SHA-256 in lower-case hexadecimal."""


class FileMissingError(FileStoreError):
    """Nothing is stored under that digest."""


class FileDamagedError(FileStoreError):
    """What is stored does not have that digest any more."""


class FilesAddressError(FileStoreError):
    """The address of a store of files names none, or what reaches it is not installed."""


class FileRefusedError(FileStoreError):
    """Where files are kept, they are not taken now, or not given."""


class StoreFullError(FileRefusedError):
    """There is no room for more files, or for more jobs."""


class SealingError(StorageError):
    """What is encrypted cannot be used as asked."""


class KeyInvalidError(SealingError):
    """A key is none: it has another length, or cannot be read."""


class KeyMissingError(SealingError):
    """The key that fits is not there, or what it fits was changed."""


class BackupError(StorageError):
    """A backup cannot be written, or not be restored."""


class AlreadyThereError(BackupError):
    """Something lies where a backup would be written or restored to."""


class CarriedWrongError(BackupError):
    """What came into another database is not what was sent; nothing was kept there."""


class ArchiveError(BackupError):
    """It is no archive of ours, or cut, damaged or tampered with."""


class DumpError(BackupError):
    """PostgreSQL's own program for dumping or restoring is missing, or failed."""


class DatabaseError(StorageError):
    """The database cannot be used as asked."""


class UnsupportedDatabaseError(DatabaseError):
    """The address names neither an SQLite file nor PostgreSQL."""


class DatabaseMissingError(DatabaseError):
    """There is no such SQLite file to read."""


class ReadOnlyError(DatabaseError):
    """A write was tried through a database that was opened for reading."""


class DatabaseHeldError(DatabaseError):
    """Another process, usually the bot, holds the database."""


class DatabaseFullError(DatabaseError):
    """The database's disk is full; nothing of what was begun is kept."""


class DatabaseGoneError(DatabaseError):
    """The database's server does not answer; nothing of what was begun is kept."""


class UnsureError(DatabaseGoneError):
    """The server went in the moment of the commit; what was to be kept is, or is not."""


class SchemaError(DatabaseError):
    """The database's schema is not the one this program works with."""


class SchemaOutdatedError(SchemaError):
    """The database lacks migrations; apply them first."""


class SchemaTooNewError(SchemaError):
    """A newer program has migrated this database; this one must not touch it."""
