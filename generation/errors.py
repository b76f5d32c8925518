"""Every way in which making a picture can fail.

GenerationError
├── InvalidRequestError          a parameter is outside its range, or names nothing known
│   └── NobodySeenError          a pose is to be followed, and nobody is in the picture
├── ModelUnavailableError        a checkpoint is missing, incomplete or not safetensors
│   ├── SafetyUnavailableError   pictures are to be looked at, and the classifier cannot
│   ├── ModelDamagedError        its files are damaged, or others than those that it came with
│   └── ModelTooLargeError       the device's memory does not hold it, whatever is done
├── IntakeError                  the upload cannot be used as a picture
│   ├── PictureTooLargeError     too many bytes or pixels
│   ├── PictureTooSmallError     a side below the minimum
│   ├── UnsupportedFormatError   not a picture, or a format that is not read
│   ├── BrokenPictureError       damaged or truncated data
│   └── IntakeLimitError         decoding ran out of its time or memory
├── UnsafePictureError           the finished picture was found unsafe
└── EngineError                  the engine could not finish the job
    ├── EngineLostError          the engine died and the retries are used up
    │   └── EngineAbsentError    no engine comes up at all here; elsewhere one may
    ├── EngineBusyError          the estimated wait exceeds what is worth waiting for
    ├── DeadlineExceededError    the job did not finish before its deadline
    ├── JobCancelledError        the job was cancelled
    └── OutOfMemoryError         the device's memory does not suffice for this picture
"""

UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What reading JSON raises that says something else than it should, in whatever way."""


class GenerationError(Exception):
    """A picture could not be made."""


class InvalidRequestError(GenerationError):
    """A parameter is outside its range, or names something unknown.

    Args:
        why: a short name of what is wrong, so that it can be said in other languages; "" where
            nobody but a developer reads the message.
        values: what the message names: texts, numbers, names in a row, or the error that it ends.
    """

    def __init__(self, message: str = "", *, why: str = "", **values: object) -> None:
        super().__init__(message)
        self.why = why
        self.values = values


class NobodySeenError(InvalidRequestError):
    """A pose is to be followed, and nobody is in the picture."""


class ModelUnavailableError(GenerationError):
    """A checkpoint is missing, incomplete or in a format that is not loaded."""


class SafetyUnavailableError(ModelUnavailableError):
    """Pictures are to be looked at before they are shown, and the classifier cannot."""


class UnsafePictureError(GenerationError):
    """The finished picture was found unsafe, and is not shown."""


class ModelDamagedError(ModelUnavailableError):
    """A checkpoint's files are damaged, or others than those that it came with."""


class ModelTooLargeError(ModelUnavailableError):
    """The device's memory does not hold a checkpoint, whatever is done; it says the figures."""


class IntakeError(GenerationError):
    """The upload cannot be used as a picture."""


class PictureTooLargeError(IntakeError):
    """The upload has more bytes, pixels or length of side than are accepted."""


class PictureTooSmallError(IntakeError):
    """A side of the picture is below the minimum."""


class UnsupportedFormatError(IntakeError):
    """The upload is not a picture in a format that is read."""


class BrokenPictureError(IntakeError):
    """The upload claims to be a picture but its data are damaged."""


class IntakeLimitError(IntakeError):
    """Decoding the upload ran out of its time or memory."""


class EngineError(GenerationError):
    """The engine could not finish the job."""


class EngineLostError(EngineError):
    """The engine died during the job more often than it is retried."""


class EngineAbsentError(EngineLostError):
    """No engine comes up at all; another machine, or another time, may have one."""


class EngineBusyError(EngineError):
    """The estimated wait exceeds what is worth waiting for."""


class DeadlineExceededError(EngineError):
    """The job did not finish before its deadline."""


class JobCancelledError(EngineError):
    """The job was cancelled."""


class OutOfMemoryError(EngineError):
    """The device's memory does not suffice for this picture."""
