"""Sends requests over kept-alive connections, for threads. `_aio_transport` is its counterpart for asyncio."""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections import deque

from ._http import READ_BYTES, BrokenAnswer, Endpoint, Parser, Request, Response, retry_after
from .errors import Unavailable

FRESH_SECONDS = 1.0
"""A request that changes something uses a kept connection only if it was used this recently.

Doorward closes a connection after `idle-timeout`, 75 s. A connection closed by a restart is noticed before the use.
"""


class _Connection:
    """One connection, used by one thread at a time."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None, deadline: float) -> None:
        # A forked child must not use its parent's connections: both would read each other's answers.
        self.process = os.getpid()
        self.last_use = 0.0
        self._socket = _connect(endpoint, context, deadline)

    def exchange(self, message: bytes, parser: Parser, deadline: float) -> Response:
        """Sends a request and reads its answer."""
        self._socket.settimeout(_left(deadline))
        self._socket.sendall(message)
        while True:
            self._socket.settimeout(_left(deadline))
            response = parser.feed(self._socket.recv(READ_BYTES))
            if response is not None:
                self.last_use = time.monotonic()
                return response

    def is_stale(self) -> bool:
        """Whether the server has closed the connection, or has sent bytes without a request."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        self._socket.close()


def _connect(endpoint: Endpoint, context: ssl.SSLContext | None, deadline: float) -> socket.socket:
    if endpoint.unix_path is not None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_left(deadline))
            connection.connect(endpoint.unix_path)
        except BaseException:
            connection.close()
            raise
        return connection
    connection = socket.create_connection((endpoint.host, endpoint.port), _left(deadline))
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            connection.settimeout(_left(deadline))
            return context.wrap_socket(connection, server_hostname=endpoint.host)
    except BaseException:
        connection.close()
        raise
    return connection


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def unreachable(error: OSError) -> Unavailable:
    """The error of a request whose connection failed with this one."""
    is_broken = isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)
    kind = BrokenAnswer if is_broken else Unavailable
    return kind(f"doorward unreachable: {str(error) or 'timed out'}")


def retry_wait(request: Request, response: Response, deadline: float) -> float | None:
    """Seconds to wait before a request is sent again, or `None` if this answer counts."""
    if not request.is_retried or response.status != 503:
        return None
    wait = float(retry_after(response))
    return wait if time.monotonic() + wait < deadline else None


class Transport:
    """Sends requests to one plane. May be shared by threads, and used on both sides of a fork."""

    def __init__(self, url: str, timeout: float, max_idle: int = 32, tls: ssl.SSLContext | None = None) -> None:
        """`timeout` bounds each request as a whole, in seconds. At most `max_idle` unused connections are kept."""
        self._endpoint = Endpoint.parse(url)
        self._context = (tls or ssl.create_default_context()) if self._endpoint.is_tls else None
        self._timeout = timeout
        self._idle: deque[_Connection] = deque()
        self._max_idle = max_idle

    def send(self, request: Request) -> Response:
        """Sends a request and returns its answer, whatever its status.

        Raises Unavailable if there is no answer in time.
        """
        message = request.encode(self._endpoint)
        deadline = time.monotonic() + self._timeout
        try:
            response = self._exchange(message, request.is_repeatable, deadline)
            wait = retry_wait(request, response, deadline)
            if wait is None:
                return response
            time.sleep(wait)
        except BrokenAnswer:
            if not request.is_retried:
                raise
        return self._exchange(message, request.is_repeatable, deadline)

    def _exchange(self, message: bytes, is_repeatable: bool, deadline: float) -> Response:
        while True:
            kept = self._take(is_repeatable)
            connection, parser = kept, Parser()
            try:
                connection = connection or _Connection(self._endpoint, self._context, deadline)
                response = connection.exchange(message, parser, deadline)
            except BaseException as error:
                if connection is not None:
                    connection.close()
                is_stale = isinstance(error, (ConnectionError, BrokenAnswer)) and not parser.has_begun
                if kept is not None and is_stale and is_repeatable:
                    continue
                if isinstance(error, OSError):
                    raise unreachable(error) from error
                raise
            if response.is_last or len(self._idle) >= self._max_idle:
                connection.close()
            else:
                self._idle.append(connection)
            return response

    def _take(self, is_repeatable: bool) -> _Connection | None:
        """Returns the kept connection that was used last, or `None` for a new one."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            is_own = connection.process == os.getpid()
            is_fresh = is_repeatable or time.monotonic() - connection.last_use < FRESH_SECONDS
            if is_own and is_fresh and not connection.is_stale():
                return connection
            connection.close()

    def close(self) -> None:
        """Closes the unused connections."""
        while self._idle:
            self._idle.pop().close()
