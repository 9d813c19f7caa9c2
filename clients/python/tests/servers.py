"""Real servers for the tests: Doorward, Redis, and servers that misbehave."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from doorward import Admin, Token, Validator

KEY = "an-api-key-of-the-tests-with-all-scopes"
BINARY = os.environ.get("DOORWARD_BINARY", str(Path(__file__).parents[3] / "target/debug/doorward"))
IP = "203.0.113.7"
REDIS_TIMEOUT = "10s"
"""How long a server waits for Redis: a busy machine is no outage."""


class Server:
    """Doorward on the embedded store, or on Redis. `with` stops it."""

    def __init__(self, **settings: str) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="doorward-")
        defaults = {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "redis_timeout": REDIS_TIMEOUT}
        self.settings = {**defaults, **settings}
        for name in ("listen", "admin_listen"):
            self.settings[name] = self.settings[name].replace("{folder}", self.folder.name)
        self.url = self.admin_url = ""
        self.start()

    def start(self) -> None:
        """Starts the server, with the addresses that it had before."""
        environ = {f"DOORWARD_{name.upper()}": value for name, value in self.settings.items()}
        # pytest shows the log of a test that fails.
        self.process = subprocess.Popen(
            [BINARY], env={**environ, "DOORWARD_ADMIN_KEY": KEY}, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("ready listen="):
                self._read_addresses(line)
                break
        else:
            raise AssertionError("doorward did not start")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def _read_addresses(self, line: str) -> None:
        words = dict(word.split("=", 1) for word in line.split()[1:])
        http = "https" if "tls_cert" in self.settings else "http"
        url = {name: value if value.startswith("unix:") else f"{http}://{value}" for name, value in words.items()}
        self.url, self.admin_url = url["listen"], url["admin-listen"]

    def validator(self, **settings: Any) -> Validator:
        return Validator(self.url, timeout=60, **settings)

    def admin(self) -> Admin:
        return Admin(self.admin_url, KEY, timeout=60)

    def issue(self, user: str = "alice", **fields: Any) -> Token:
        return self.admin().issue(user, IP, **fields)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.folder.cleanup()


def on_unix_sockets(**settings: str) -> Server:
    """A server that can be started again at the same addresses."""
    return Server(listen="unix:{folder}/auth.sock", admin_listen="unix:{folder}/admin.sock", **settings)


class Redis:
    """A Redis on a unix socket. `with` stops it."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="doorward-redis-")
        self.path = f"{self.folder.name}/redis.sock"
        self.start()

    @property
    def url(self) -> str:
        return f"redis+unix://{self.path}"

    def start(self) -> None:
        command = ["redis-server", "--port", "0", "--unixsocket", self.path, "--dir", self.folder.name]
        self.process = subprocess.Popen(
            [*command, "--save", "", "--appendonly", "yes", "--appendfsync", "always"], stdout=subprocess.DEVNULL
        )
        wait_until(lambda: connects(self.path))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Redis:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.folder.cleanup()


def connects(path: str) -> bool:
    """Whether something listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def wait_until(is_true: Callable[[], bool]) -> None:
    """Waits for a condition; fails after a minute."""
    end = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(0.01)


OK = b"HTTP/1.1 200 OK\r\nx-auth-user: alice\r\nx-auth-token-id: abc\r\ncontent-length: 0\r\n\r\n"


class FakeServer:
    """A server that answers as a test says. Answer n of a connection is `script(n)`; `None` closes the connection."""

    def __init__(self, script: Callable[[int], bytes | None]) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self.requests: list[bytes] = []
        self.current = threading.local()
        """`request` is the one that the script answers: each connection has a thread."""
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        number = 0
        try:
            while head := self._read(connection):
                self.requests.append(head)
                self.current.request = head
                answer = self._script(number)
                number += 1
                if answer is None:
                    break
                connection.sendall(answer)
        except OSError:
            pass
        connection.close()

    def _read(self, connection: socket.socket) -> bytes:
        """Reads a request with its body."""
        data = b""
        while b"\r\n\r\n" not in data:
            received = connection.recv(65536)
            if not received:
                return b""
            data += received
        head, _, body = data.partition(b"\r\n\r\n")
        lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
        length = next((int(value) for name, value in lines if name.lower() == b"content-length"), 0)
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def close_connections(self) -> None:
        """Closes the connections, as a restart does."""
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._open.clear()

    def __enter__(self) -> FakeServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.close_connections()
