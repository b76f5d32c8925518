"""A small Ray cluster on this machine, in a process of its own; nothing of it outlives that.

``python -m tests.generation.cluster.nodes PORT`` starts a head that computes nothing, then reads
commands and answers each with a line of JSON that names every node's processes:

    look       nothing
    add N      so many more nodes with one processor
    kill N     all processes of a node at once, as a power cut would; 0 is the head
    freeze N   stop all of them, as a network that has gone would; ``thaw N`` lets them go on
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

STORE_BYTES = 80 * 2**20
SIGNALS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP, "thaw": signal.SIGCONT}


def children_of(pid: int) -> Iterator[int]:
    """Yield a process's descendants, the nearest first."""
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            for child in map(int, (thread / "children").read_text().split()):
                yield child
                yield from children_of(child)


class Nodes:
    """The head and the nodes that were added; runs in the process of its own."""

    def __init__(self, *, port: int) -> None:
        from ray.cluster_utils import Cluster

        self._common: dict[str, Any] = {
            "object_store_memory": STORE_BYTES,
            "include_dashboard": False,
            "include_log_monitor": False,
        }
        head = {**self._common, "num_cpus": 0, "gcs_server_port": port}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._nodes: list[Any] = [self._cluster.head_node]

    def obey(self, command: str) -> None:
        """Carry a command out."""
        if command == "look":
            return
        verb, number = command.split()
        if verb == "add":
            for _ in range(int(number)):
                node = self._cluster.add_node(wait=False, num_cpus=1, **self._common)
                self._nodes.append(node)
            return
        self._signal(SIGNALS[verb], self.processes()[int(number)])

    def end(self) -> None:
        """Kill every process of every node."""
        for pids in self.processes():
            self._signal(signal.SIGKILL, pids)

    @staticmethod
    def _signal(number: signal.Signals, pids: list[int]) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def processes(self) -> list[list[int]]:
        """Return the living processes of every node, with all that these have started."""
        every = []
        for node in self._nodes:
            infos = [info for some in node.all_processes.values() for info in some]
            started = [it.process.pid for it in infos if it.process.poll() is None]
            every.append([pid for one in started for pid in (one, *children_of(one))])
        return every


class Handle:
    """The test's end: starts the process, gives commands, and ends everything."""

    def __init__(self, *, port: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ray"))  # Ray's sockets bear short paths only.
        token = self._folder / "token"
        token.write_text("0123456789abcdef" * 4)
        token.chmod(0o600)
        self.address = f"127.0.0.1:{port}"
        self.environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_TMPDIR": str(self._folder),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self.processes: list[list[int]] = []
        self._command = [sys.executable, "-m", "tests.generation.cluster.nodes", str(port)]
        self._begin()

    def tell(self, command: str) -> None:
        """Give a command and wait until it is carried out."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        self._listen()

    def heal(self, count: int) -> None:
        """See to it that there are a head and so many nodes; the numbers change."""
        self.tell("look")
        if not self.processes[0]:
            self.restart()
        missing = count - sum(map(bool, self.processes[1:]))
        if missing > 0:
            self.tell(f"add {missing}")

    def restart(self) -> None:
        """End everything, then start a new head at the same address, without nodes."""
        self._process.communicate()
        self._begin()

    def close(self) -> None:
        """End every process of every node."""
        if self._process.poll() is None:
            self._process.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _begin(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            env=os.environ | self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._listen()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "Ray does not start; call the module by hand to see why"
        self.processes = json.loads(line)


def main() -> None:
    """Obey until the input ends."""
    os.nice(5)
    nodes = Nodes(port=int(sys.argv[1]))
    while True:
        sys.stdout.write(json.dumps(nodes.processes()) + "\n")
        sys.stdout.flush()
        command = sys.stdin.readline().strip()
        if not command:
            nodes.end()
            return
        nodes.obey(command)


if __name__ == "__main__":
    main()
