"""As much of the Hugging Face hub as huggingface_hub asks for, on this machine."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c0ffee" + "0" * 34


@dataclass(kw_only=True)
class Hub:
    """A hub with one checkpoint.

    Args:
        broken: files whose connection breaks after half of what is asked for, once each.
        swapped: files that come with other bytes than the hub's own sums tell.
        asked: every request for a file's bytes: its path, and the byte it began with.
    """

    folder: Path
    repository: str = "someone/tiny"
    broken: set[str] = field(default_factory=set)
    swapped: set[str] = field(default_factory=set)
    asked: list[tuple[str, int]] = field(default_factory=list)
    address: str = ""

    def about(self) -> dict[str, object]:
        """Return what the hub's interface says of the checkpoint."""
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {
            "id": self.repository,
            "modelId": self.repository,
            "sha": COMMIT,
            "cardData": {"license": "openrail++"},
            "siblings": [self.sibling(path) for path in paths],
        }

    def sibling(self, path: Path) -> dict[str, object]:
        data = path.read_bytes()
        told: dict[str, object] = {
            "rfilename": path.relative_to(self.folder).as_posix(),
            "size": len(data),
            "blobId": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(),
        }
        if path.suffix == ".safetensors":
            digest = hashlib.sha256(data).hexdigest()
            told["lfs"] = {"sha256": digest, "size": len(data), "pointerSize": 134}
        return told

    def bytes_of(self, path: str) -> bytes:
        data = (self.folder / path).read_bytes()
        return data[:-1] + bytes([data[-1] ^ 1]) if path in self.swapped else data


class Answers(BaseHTTPRequestHandler):
    """What the hub answers."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        api = f"/api/models/{self.hub.repository}"
        files = f"/{self.hub.repository}/resolve/{COMMIT}/"
        if path in (api, f"{api}/revision/{COMMIT}", f"{api}/revision/main"):
            self.send(json.dumps(self.hub.about()).encode(), kind="application/json")
        elif path.startswith(f"{api}/revision/"):
            self.refuse("RevisionNotFound")
        elif path.startswith(files):
            self.file(path.removeprefix(files), body=body)
        else:
            self.refuse("RepoNotFound")

    def file(self, path: str, *, body: bool) -> None:
        data = self.hub.bytes_of(path)
        asked = self.headers.get("Range", "bytes=0-").removeprefix("bytes=")
        begin = int(asked.partition("-")[0])
        self.send_response(206 if begin else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("Content-Length", str(len(data) - begin))
        self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if not body:
            return
        self.hub.asked.append((path, begin))
        if path in self.hub.broken:
            self.hub.broken.discard(path)
            self.wfile.write(data[begin : begin + (len(data) - begin) // 2])
            self.close_connection = True
        else:
            self.wfile.write(data[begin:])

    def send(self, data: bytes, *, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve a hub while the block runs."""
    answers = type("Answers", (Answers,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), answers) as server:
        hub.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
