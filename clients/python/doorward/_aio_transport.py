"""Sends requests over kept-alive connections, for asyncio. `_transport` is its counterpart for threads."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque

from ._http import READ_BYTES, BrokenAnswer, Endpoint, Parser, Request, Response
from ._transport import FRESH_SECONDS, retry_wait, unreachable


class _Connection:
    """One connection, used by one task at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.last_use = 0.0

    async def exchange(self, message: bytes, parser: Parser) -> Response:
        """Sends a request and reads its answer."""
        self._writer.write(message)
        await self._writer.drain()
        while True:
            response = parser.feed(await self._reader.read(READ_BYTES))
            if response is not None:
                self.last_use = time.monotonic()
                return response

    def is_stale(self) -> bool:
        """Whether the server has closed the connection."""
        return self._reader.at_eof() or self._writer.is_closing() or self._reader.exception() is not None

    def close(self) -> None:
        self._writer.close()


class AsyncTransport:
    """Sends requests to one plane."""

    def __init__(self, url: str, timeout: float, max_connections: int = 100, tls: ssl.SSLContext | None = None) -> None:
        """`timeout` bounds each request as a whole, in seconds. Requests beyond `max_connections` wait within it."""
        self._endpoint = Endpoint.parse(url)
        self._context = (tls or ssl.create_default_context()) if self._endpoint.is_tls else None
        self._timeout = timeout
        self._max_connections = max_connections
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: deque[_Connection] = deque()
        self._slots = asyncio.Semaphore(max_connections)

    async def send(self, request: Request) -> Response:
        """Sends a request and returns its answer, whatever its status.

        Raises Unavailable if there is no answer in time. If the caller is cancelled, its connection is closed.
        """
        self._enter_loop()
        message = request.encode(self._endpoint)
        deadline = time.monotonic() + self._timeout
        try:
            response = await self._within(deadline, message, request.is_repeatable)
            wait = retry_wait(request, response, deadline)
            if wait is None:
                return response
            await asyncio.sleep(wait)
        except BrokenAnswer:
            if not request.is_retried:
                raise
        return await self._within(deadline, message, request.is_repeatable)

    async def _within(self, deadline: float, message: bytes, is_repeatable: bool) -> Response:
        try:
            async with asyncio.timeout(deadline - time.monotonic()), self._slots:
                return await self._exchange(message, is_repeatable)
        except OSError as error:
            # asyncio.timeout raises TimeoutError, which is an OSError.
            raise unreachable(error) from error

    async def _exchange(self, message: bytes, is_repeatable: bool) -> Response:
        while True:
            kept = self._take(is_repeatable)
            connection, parser = kept, Parser()
            try:
                connection = connection or await self._connect()
                response = await connection.exchange(message, parser)
            except BaseException as error:
                if connection is not None:
                    connection.close()
                is_stale = isinstance(error, (ConnectionError, BrokenAnswer)) and not parser.has_begun
                if kept is not None and is_stale and is_repeatable:
                    continue
                raise
            if response.is_last:
                connection.close()
            else:
                self._idle.append(connection)
            return response

    async def _connect(self) -> _Connection:
        endpoint = self._endpoint
        if endpoint.unix_path is not None:
            return _Connection(*await asyncio.open_unix_connection(endpoint.unix_path))
        return _Connection(*await asyncio.open_connection(endpoint.host, endpoint.port, ssl=self._context))

    def _take(self, is_repeatable: bool) -> _Connection | None:
        """Returns the kept connection that was used last, or `None` for a new one."""
        while self._idle:
            connection = self._idle.pop()
            is_fresh = is_repeatable or time.monotonic() - connection.last_use < FRESH_SECONDS
            if is_fresh and not connection.is_stale():
                return connection
            connection.close()
        return None

    def _enter_loop(self) -> None:
        """Forgets the connections of another event loop, which cannot be used here, nor closed."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop = loop
            self._idle.clear()
            self._slots = asyncio.Semaphore(self._max_connections)

    async def close(self) -> None:
        """Closes the unused connections."""
        self._enter_loop()
        while self._idle:
            self._idle.pop().close()
