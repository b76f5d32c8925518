"""Fuzz the picture intake: every input is a picture or a typed error, never anything else.

``python -m tests.fuzz.fuzz_intake --seconds 600`` (or ``make fuzz``) runs atheris over
``generation.intake.prepare`` with Pillow's plugins instrumented. A crash leaves its input in
``var/fuzz/`` and ends with a code other than 0.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from generation.errors import GenerationError

FOLDER = Path("var/fuzz")
MAX_LENGTH = 16_384
_MISSING = "atheris is missing, so there is nothing to fuzz with: pip install 'atheris>=3'"


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return the files that fuzzing starts from: every format, and what was evil before."""
    from tests.generation import pictures

    exif = pictures.exif_with_orientation(6)
    image = pictures.corners(24, 16)
    for image_format in ("PNG", "JPEG", "WEBP", "AVIF"):
        yield image_format, pictures.encoded(image, image_format, exif=exif)
    profile = pictures.swapped_profile()
    yield "profile", pictures.encoded(image, "PNG", icc_profile=profile)
    yield "jpeg-profile", pictures.encoded(image, "JPEG", icc_profile=profile, progressive=True)
    yield "cmyk", pictures.encoded(image.convert("CMYK"), "JPEG")
    yield "gif", pictures.animation("GIF", frames=3)
    yield "apng", pictures.animation("PNG", frames=3)
    yield "webp-frames", pictures.animation("WEBP", frames=3)
    yield "sixteen", pictures.sixteen_bit_rgb(16, 16)
    yield "palette", pictures.encoded(image.quantize(4), "PNG", transparency=1)
    for name, data in (pictures.not_pictures() | pictures.polyglots()).items():
        yield name.replace(" ", "-"), data
    from generation.intake import HEIF_READABLE

    if HEIF_READABLE:
        yield "heif", pictures.encoded(image, "HEIF", exif=exif)


def write_seeds(folder: Path) -> None:
    """Write the seed files into the corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds():
        (folder / f"seed-{name}").write_bytes(data[:MAX_LENGTH])


def mended(data: bytes) -> bytes:
    """Return a PNG with right checksums, without which no mutation gets past the first check."""
    pieces, at = [data[:8]], 8
    while at + 12 <= len(data):
        end = at + 8 + min(int.from_bytes(data[at : at + 4], "big"), len(data) - at - 12)
        length, body = (end - at - 8).to_bytes(4, "big"), data[at + 4 : end]
        pieces += [length, body, zlib.crc32(body).to_bytes(4, "big")]
        at = end + 4
    return b"".join(pieces)


def run(seconds: int) -> int:
    """Fuzz for a while in a child process; return its exit code."""
    corpus = FOLDER / "corpus"
    # Pillow must be imported for the first time by the fuzzing process, or it is not instrumented.
    writer = multiprocessing.get_context("spawn").Process(target=write_seeds, args=(corpus,))
    writer.start()
    writer.join()
    child = os.fork()
    if child == 0:
        _fuzz(seconds, corpus=corpus)
        os._exit(0)
    started = time.monotonic()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    verdict = "no crash" if code == 0 else f"a crash (exit code {code}); see {FOLDER}/crash-*"
    sys.stdout.write(f"fuzz: {time.monotonic() - started:.0f} s over the intake: {verdict}\n")
    return 0 if code == 0 else 1


def _fuzz(seconds: int, *, corpus: Path) -> None:
    """Run libFuzzer over the intake; it ends the process itself."""
    import atheris

    with atheris.instrument_imports(include=["PIL", "generation"]):
        from generation.intake import prepare

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def one_input(data: bytes) -> None:
        with suppress(GenerationError):
            prepare(mended(data) if data.startswith(b"\x89PNG") else data, 64)

    options = [
        f"-max_total_time={seconds}", f"-max_len={MAX_LENGTH}", f"-artifact_prefix={FOLDER}/",
        "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=1",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], one_input)
    atheris.Fuzz()


def main() -> int:
    """Read the command line and fuzz."""
    parser = argparse.ArgumentParser(description="Fuzz the picture intake.")
    parser.add_argument("--seconds", type=int, default=600, help="how long (default: 600)")
    seconds: int = parser.parse_args().seconds
    try:
        import atheris  # noqa: F401 -- only its presence matters here
    except ImportError:
        sys.stderr.write(_MISSING + "\n")
        return 2
    return run(seconds)


if __name__ == "__main__":
    sys.exit(main())
