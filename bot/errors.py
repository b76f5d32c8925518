"""Every way in which the bot itself refuses or fails.

BotError
├── RefusedError              the member may not do that
│   ├── NotYoursError         the picture is somebody else's
│   ├── AdminsOnlyError       the command is for those who manage the server
│   ├── ModeratorsOnlyError   the button is for those who may manage messages
│   ├── NotApprovedError      pictures are not approved first there
│   ├── NoDigestError         no weeks are told, so that cannot be ended
│   ├── DigestPlaceError      the bot may not write where weeks are to be told
│   ├── ReviewPlaceError      pictures cannot be approved in that channel
│   ├── BlockedError          the member may not ask for pictures on this server
│   │   └── BlockedUntilError ... until a moment
│   ├── NotBlockedError       nothing keeps that member from asking
│   ├── PipelineOffError      admins have switched that way of making pictures off here
│   ├── PresetOffError        ... that preset
│   ├── NotOffError           it is not switched off there
│   ├── UnknownPipelineError  there is no such pipeline
│   ├── UnknownLanguageError  the bot does not speak that
│   ├── SeveralTargetsError   an act names several that it could be about
│   ├── UnknownJobError       there is no such job here
│   ├── PictureDeletedError   the job's picture has been deleted or has expired
│   ├── PromptTooLongError    the prompt has too many characters
│   ├── PromptMissingError    neither words nor a preset were given
│   │   └── WordsMissingError ... where words alone are of use
│   ├── PromptUnfitError      the model cannot do what the prompt asks for besides words
│   │   └── PromptForOthersError  ... but others here can
│   ├── CompanionUnfitError   no network here follows that control or likeness with that model
│   ├── WordRuleError         a word rule of the server forbids the prompt
│   │   └── WarnedTooOftenError  ... after warnings that were not heeded
│   ├── WordUnfitError        a word rule cannot be made of that
│   ├── UnknownWordError      there is no word rule for that
│   ├── UnknownPresetError    there is no such preset
│   ├── PresetUnfitError      a preset of a server's own cannot be made of that
│   ├── RetentionUnfitError   a server may not keep prompts and pictures for so long
│   ├── PresetUnableError     no model here can do what a preset says, or not the one named
│   │   └── PresetNearbyError ... but another preset comes near
│   ├── WordsUnfitError       the model takes a picture and nothing else
│   ├── UnknownAttributeError  the model that designs knows no such attribute
│   ├── UnknownModelError     there is no such model
│   ├── UnusableModelError    the model is there, but incomplete, damaged or marked
│   ├── NotAPainterError      the model only changes what is there, others paint new things
│   ├── PainterMissingError   no model here paints new things
│   ├── PicturesUnfitError    the pictures are larger than what is taken by now
│   ├── SchedulerUnfitError   the model runs with its own scheduler only
│   │   └── SchedulerForOthersError  ... but others here take others
│   ├── TooManyStepsError     the model takes fewer steps
│   ├── TooManyPicturesError  one command may not ask for so many
│   ├── BadShapeError         that is no shape of a picture
│   ├── ShapeUnfitError       the picture has that shape, or would become too large
│   ├── BadSizeError          a picture cannot have that size
│   ├── BadDateError          that is no date, or no period
│   ├── UnknownArtworkError   there is no such artwork
│   ├── ArtworkMissingError   neither an artwork nor a preset was given
│   ├── SecondArtworkMissingError  artworks were to be mixed, and there is one
│   ├── UnknownMethodError    there is no such method of style
│   ├── MethodUnfitError      the method of style cannot do all that was asked
│   ├── MaskMissingError      neither a mask was given nor is the picture transparent anywhere
│   ├── MaskEmptyError        the mask leaves everything as it is
│   ├── BadNumberError        a form's number is not one, or outside its range
│   ├── NoPictureError        the message has no picture
│   ├── LoginError            somebody could not be let in to the admin page
│   └── WaitTooLongError      the queue is longer than what is worth waiting for
└── DownloadError             an attachment cannot be fetched
    ├── ForeignAddressError   its address is not one of Discord's own
    ├── AttachmentGoneError   Discord no longer has it
    ├── AttachmentTooLargeError  it has more bytes than are read
    └── AttachmentStalledError   it came too slowly, or broke off

A sentence for each is in the locales under ``error.<class>``; so are those of the errors of
``generation`` and ``storage``. What has no sentence of its own is said with its parent's.
"""

from collections.abc import Iterator

from bot.texts import DEFAULT_LOCALE, Phrase, Texts
from storage.errors import QuotaExceededError


class BotError(Exception):
    """The bot refused or failed.

    Args:
        values: what goes into the sentence for the member.
    """

    private = False
    """Whether the sentence is for the member alone, though a result would be for everybody."""

    def __init__(self, message: str, /, **values: object) -> None:
        super().__init__(message)
        self.values = values


class RefusedError(BotError):
    """The member may not do that."""


class NotYoursError(RefusedError):
    """The picture is somebody else's."""


class AdminsOnlyError(RefusedError):
    """The command is for those who manage the server."""


class ModeratorsOnlyError(RefusedError):
    """The button is for those who may manage messages there."""


class NotApprovedError(RefusedError):
    """Pictures are not approved first there, so that cannot be ended."""


class NoDigestError(RefusedError):
    """No weeks are told on that server, so that cannot be ended."""


class DigestPlaceError(RefusedError):
    """The bot may not write or attach files where weeks are to be told."""


class ReviewPlaceError(RefusedError):
    """Pictures cannot be approved in that channel: the bot may not write there, or all see it."""


class BlockedError(RefusedError):
    """The member may not ask for pictures on this server; it is said to them alone."""

    private = True


class BlockedUntilError(BlockedError):
    """The member may not ask for pictures on this server until a moment."""


class NotBlockedError(RefusedError):
    """Nothing keeps that member from asking."""


class PipelineOffError(RefusedError):
    """Admins have switched that way of making pictures off, here or on the whole server."""


class PresetOffError(RefusedError):
    """Admins have switched that preset off in this channel."""


class NotOffError(RefusedError):
    """It is not switched off there."""


class UnknownPipelineError(RefusedError):
    """There is no such pipeline."""


class UnknownLanguageError(RefusedError):
    """The bot does not speak that language."""


class SeveralTargetsError(RefusedError):
    """An act names several that it could be about."""


class UnknownJobError(RefusedError):
    """There is no such job here."""


class PictureDeletedError(RefusedError):
    """The job's picture has been deleted or has expired."""


class PromptTooLongError(RefusedError):
    """The prompt has too many characters."""


class PromptMissingError(RefusedError):
    """Neither words nor a preset were given."""


class WordsMissingError(PromptMissingError):
    """No words were given where words alone are of use."""


class PromptUnfitError(RefusedError):
    """The model cannot do what the prompt asks for besides words: LoRA, or weights."""


class WordRuleError(RefusedError):
    """A word rule of the server forbids the prompt; neither sentence nor log names the word."""


class WarnedTooOftenError(WordRuleError):
    """A warning rule forbids the prompt of a member who was warned as often as is allowed."""


class WordUnfitError(RefusedError):
    """A word rule cannot be made of that: it is too long, or too short to be a word."""


class UnknownWordError(RefusedError):
    """There is no word rule for that."""


class PromptForOthersError(PromptUnfitError):
    """The model cannot do what the prompt asks for besides words, but others here can."""


class UnknownAttributeError(RefusedError):
    """The model that designs knows no such attribute."""


class CompanionUnfitError(RefusedError):
    """No network here follows that control or likeness with that model."""


class UnknownPresetError(RefusedError):
    """There is no such preset."""


class PresetUnfitError(RefusedError):
    """A preset of a server's own cannot be made of that; the sentence says why."""


class RetentionUnfitError(RefusedError):
    """A server may not keep prompts and pictures for so long."""


class PresetUnableError(RefusedError):
    """No model here can do what a preset says, or not the one that was named."""


class PresetNearbyError(PresetUnableError):
    """No model here can do what a preset says, but one can do another that comes near."""


class WordsUnfitError(RefusedError):
    """The model looks for a picture among those it makes, and takes nothing but that picture."""


class UnknownModelError(RefusedError):
    """There is no such model."""


class UnusableModelError(RefusedError):
    """The model is there, but incomplete, damaged or marked."""


class NotAPainterError(RefusedError):
    """The model only changes what is there; others paint new things."""


class PainterMissingError(RefusedError):
    """No model here paints new things: pictures from words alone, or margins."""


class PicturesUnfitError(RefusedError):
    """The pictures that an order is made from are larger together than what is taken by now."""


class SchedulerUnfitError(RefusedError):
    """The model runs with its own scheduler only."""


class SchedulerForOthersError(SchedulerUnfitError):
    """The model runs with its own scheduler only, but others here take others."""


class TooManyStepsError(RefusedError):
    """The model takes fewer steps."""


class TooManyPicturesError(RefusedError):
    """One command may not ask for so many."""


class BadSizeError(RefusedError):
    """A picture cannot have that size, or that shape."""


class BadDateError(RefusedError):
    """That is no date, or the dates are no period."""


class BadShapeError(RefusedError):
    """That is no shape of a picture."""


class ShapeUnfitError(RefusedError):
    """The picture has that shape already, or would become too large."""


class UnknownArtworkError(RefusedError):
    """There is no such artwork."""


class ArtworkMissingError(RefusedError):
    """Neither an artwork nor a preset was given."""


class SecondArtworkMissingError(RefusedError):
    """Artworks were to be mixed, and there is one."""


class UnknownMethodError(RefusedError):
    """There is no such method of style, or its weights are not there."""


class MethodUnfitError(RefusedError):
    """The method of style cannot do all that was asked, such as blend artworks."""


class MaskMissingError(RefusedError):
    """Neither a mask was given nor is the picture transparent anywhere."""


class MaskEmptyError(RefusedError):
    """The mask leaves everything as it is."""


class BadNumberError(RefusedError):
    """A form's number is not one, or outside its range."""


class NoPictureError(RefusedError):
    """The message has no picture."""


class LoginError(RefusedError):
    """Somebody could not be let in to the admin page."""


class WaitTooLongError(RefusedError):
    """The queue is longer than what is worth waiting for."""


class DownloadError(BotError):
    """An attachment cannot be fetched."""


class ForeignAddressError(DownloadError):
    """The attachment's address is not one of Discord's own."""


class AttachmentGoneError(DownloadError):
    """Discord no longer has the attachment."""


class AttachmentTooLargeError(DownloadError):
    """The attachment has more bytes than are read."""


class AttachmentStalledError(DownloadError):
    """The attachment came too slowly, or broke off."""


def sentence_key(error_type: type[BaseException], texts: Texts) -> str:
    """Return the key of the sentence for a kind of error, that of the nearest known ancestor."""
    for ancestor in error_type.__mro__:
        key = f"error.{ancestor.__name__}"
        if key in texts:
            return key
    return "error.Exception"


def sentence(error: BaseException, texts: Texts, locale: str = DEFAULT_LOCALE) -> str:
    """Return the one sentence that a member reads about an error."""
    return stored_sentence(type(error), texts, locale, **dict(_values(error)))


def stored_sentence(
    error_type: type[BaseException], texts: Texts, locale: str, /, **values: object
) -> str:
    """Return the sentence for a kind of error, whose values may be unknown by now."""
    key = sentence_key(error_type, texts)
    try:
        return texts.say(key, locale, **values)
    except KeyError:
        return texts.say(f"{key}.plain", locale)


def _values(error: BaseException) -> Iterator[tuple[str, object]]:
    """Yield what the sentence may name."""
    yield "detail", str(error)
    if isinstance(error, BotError):
        yield from error.values.items()
    if isinstance(error, QuotaExceededError):
        yield "left", Phrase("unit.seconds", {"value": f"{error.remaining_ms / 1000:.0f}"})
        yield "renews", int(error.resets_at.timestamp())
