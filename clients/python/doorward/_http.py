"""HTTP/1.1 as bytes: requests to send, and a parser of the answers. Nothing is sent or received here.

A parser of its own, because http.client's time limit is per read and not per answer, and asyncio has no client.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .errors import Unavailable

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
READ_BYTES = 64 * 1024

Headers = Sequence[tuple[str, str]]


class BrokenAnswer(Unavailable):
    """The answer is not HTTP, is too long, or ended too early; or the connection failed before it."""


@dataclass(frozen=True)
class Endpoint:
    """The address of a plane."""

    host: str
    port: int
    is_tls: bool = False
    unix_path: str | None = None

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Reads `http://host:port`, `https://host:port` or `unix:/path`, as in Doorward's ready line."""
        if url.startswith("unix:"):
            return cls("localhost", 80, unix_path=url.removeprefix("unix:"))
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise ValueError(f"the URL of Doorward must be http://host:port, https://host:port or unix:/path: {url!r}")
        is_tls = parts.scheme == "https"
        return cls(parts.hostname, parts.port or (443 if is_tls else 80), is_tls)

    @property
    def authority(self) -> str:
        """The value of `Host`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Request:
    """A request of this package to Doorward."""

    method: str
    path: str
    headers: Headers = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    is_repeatable: bool = True
    """Whether sending it twice does no more than sending it once."""
    is_retried: bool = False
    """Whether a repeatable request is sent again, once, after a broken connection or a 503."""

    def encode(self, endpoint: Endpoint) -> bytes:
        """Returns the bytes to send.

        Raises ValueError if a header has a line break, or characters outside Latin-1.
        """
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        if not any(name.lower() == "host" for name, _ in self.headers):
            lines.append(f"Host: {endpoint.authority}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body is not None or self.method in ("POST", "PATCH", "PUT"):
            lines.append(f"Content-Length: {len(self.body or b'')}")
        for line in lines:
            if any(char in line for char in "\r\n\0"):
                raise ValueError("a header must not contain a line break")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (self.body or b"")


@dataclass(frozen=True)
class Response:
    """An answer of Doorward."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    is_last: bool = False
    """Whether the connection must be closed after it."""

    def header(self, name: str) -> str | None:
        """The first header of that name, which is given in lower case."""
        return next((value for key, value in self.headers if key == name), None)


def retry_after(response: Response) -> int:
    """Seconds after which to try again: 1 if the answer does not say."""
    text = response.header("retry-after") or ""
    return int(text) if text.isascii() and text.isdecimal() else 1


class Parser:
    """Parses one answer from what a connection receives."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._head: Response | None = None
        self._body = bytearray()
        self.has_begun = False
        """Whether any byte of an answer has arrived."""

    def feed(self, data: bytes) -> Response | None:
        """Takes the next bytes, or `b""` at the end; returns the answer once it is complete."""
        self.has_begun = self.has_begun or bool(data)
        self._bytes += data
        while self._head is None:
            if not self._read_head():
                if not data:
                    raise BrokenAnswer("the connection to doorward ended before the answer")
                return None
        is_complete, is_last = self._read_body(is_end=not data)
        if not is_complete:
            if not data:
                raise BrokenAnswer("the connection to doorward ended within an answer")
            return None
        # Bytes after the answer belong to no request.
        is_last = is_last or self._head.is_last or bool(self._bytes)
        return Response(self._head.status, self._head.headers, bytes(self._body), is_last)

    def _read_head(self) -> bool:
        end = self._bytes.find(b"\r\n\r\n")
        if end < 0 and len(self._bytes) > MAX_HEAD_BYTES:
            raise BrokenAnswer("the head of an answer is too long")
        if end < 0:
            return False
        first, *lines = self._bytes[:end].decode("latin-1").split("\r\n")
        del self._bytes[: end + 4]
        version, _, rest = first.partition(" ")
        status = rest[:3]
        if version not in ("HTTP/1.1", "HTTP/1.0") or not (status.isascii() and status.isdecimal()) or len(status) < 3:
            raise BrokenAnswer("the answer is not HTTP/1.1")
        headers = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                raise BrokenAnswer("the answer has a malformed header")
            headers.append((name.lower(), value.strip()))
        # Statuses below 200 announce the answer proper.
        if int(status) >= 200:
            closes = any(name == "connection" and "close" in value.lower() for name, value in headers)
            self._head = Response(int(status), tuple(headers), is_last=closes or version == "HTTP/1.0")
        return True

    def _read_body(self, is_end: bool) -> tuple[bool, bool]:
        """Moves the body; returns whether it is complete, and whether the connection ended it."""
        head = self._head
        assert head is not None
        if head.status in (204, 304):
            return True, False
        if "chunked" in (head.header("transfer-encoding") or "").lower():
            return self._read_chunks(), False
        length = head.header("content-length")
        if length is None:
            self._move(len(self._bytes))
            return is_end, True
        if not (length.isascii() and length.isdecimal()):
            raise BrokenAnswer("the answer has a malformed length")
        self._move(min(len(self._bytes), int(length) - len(self._body)))
        return len(self._body) == int(length), False

    def _read_chunks(self) -> bool:
        while (end := self._bytes.find(b"\r\n")) >= 0:
            size_text = bytes(self._bytes[:end]).split(b";")[0].strip()
            try:
                size = int(size_text, 16)
            except ValueError:
                raise BrokenAnswer("the answer has a malformed chunk") from None
            if not 0 <= size <= MAX_BODY_BYTES:
                raise BrokenAnswer("the answer is too long")
            if size == 0:
                # Trailers are discarded.
                last = self._bytes.find(b"\r\n\r\n", end)
                if last < 0:
                    return False
                del self._bytes[: last + 4]
                return True
            if len(self._bytes) < end + 2 + size + 2:
                return False
            del self._bytes[: end + 2]
            self._move(size)
            del self._bytes[:2]
        return False

    def _move(self, count: int) -> None:
        if len(self._body) + count > MAX_BODY_BYTES:
            raise BrokenAnswer("the answer is too long")
        self._body += self._bytes[:count]
        del self._bytes[:count]
