"""A picture that is small enough to be written down."""

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x20\0\0\0\x10\x08\x02\0\0\0"
    + b"\0" * 4
    + b"\0\0\0\0IEND\xaeB\x60\x82"
)
