"""Micro-batching: many checks in one call of `POST /v1/validate`, for busy servers.

Both batchers collect tokens for at most `max_delay` seconds, or up to 1,000 of them. While a batch is under way, the
next one collects. A batch that fails fails for all its callers: Unavailable.

The rules are those of `/auth` with three differences. A token that waits for its second factor is judged as an invalid
one. Requests that another site made a browser send are not refused: use the framework's CSRF protection for cookies.
Tokens are found in `Authorization: Bearer` and in one cookie; Doorward's settings for other places do not count.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

from ._calls import MAX_BATCH, MAX_BATCH_BYTES
from ._request import ANONYMOUS, INVALID_TOKEN, NO_TOKEN, ClientRequest, FoundToken, find_token, is_sendable
from .aio import AsyncAdmin
from .client import Admin
from .errors import DoorwardError, Unavailable
from .models import Token, Verdict

_OVERHEAD = 4  # the quotes and the comma of a token in JSON, and one to spare


def _find(request: ClientRequest | str, cookie_name: str) -> FoundToken | None:
    return find_token(request, cookie_name) if isinstance(request, ClientRequest) else FoundToken(request, "header")


def _verdict(token: Token | None, found: FoundToken, optional: bool) -> Verdict:
    is_allowed = token is not None and (token.allowed_header if found.via == "header" else token.allowed_cookie)
    if token is None or not is_allowed:
        return ANONYMOUS if optional else INVALID_TOKEN
    return Verdict(200, token.identity(found.via))


def _full() -> Unavailable:
    return Unavailable("too many checks are waiting for doorward")


class Batcher:
    """Judges tokens in batches, for threads. One thread of its own sends them; it starts with the first check."""

    def __init__(
        self,
        admin: Admin,
        *,
        max_delay: float = 0.002,
        max_waiting: int = 10_000,
        timeout: float = 2.0,
        cookie_name: str = "doorward",
    ) -> None:
        """At most `max_waiting` tokens wait for a batch; further ones are Unavailable at once.

        `timeout` bounds each check, in seconds.
        """
        self._admin = admin
        self._max_delay = max_delay
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._cookie_name = cookie_name
        self._lock = threading.Lock()
        self._process = 0
        self._waiting: queue.Queue[tuple[str, Future[Token | None]] | None] = queue.Queue()

    def check(self, request: ClientRequest | str, *, optional: bool = False) -> Verdict:
        """Judges a request, or a bare token string."""
        found = _find(request, self._cookie_name)
        if found is None:
            return ANONYMOUS if optional else NO_TOKEN
        return _verdict(self.validate(found.token), found, optional)

    def validate(self, token: str) -> Token | None:
        """Judges a token string. The caller must look at `allowed_header` and `allowed_cookie` itself."""
        if not is_sendable(token):
            return None
        future: Future[Token | None] = Future()
        self._start()
        try:
            self._waiting.put_nowait((token, future))
        except queue.Full:
            raise _full() from None
        try:
            return future.result(self._timeout)
        except TimeoutError as error:
            future.cancel()
            raise Unavailable("doorward did not answer in time") from error

    def _start(self) -> None:
        """Starts the thread, once in each process: a forked child has none of its parent's threads."""
        if self._process == os.getpid():
            return
        with self._lock:
            if self._process != os.getpid():
                self._waiting = queue.Queue(self._max_waiting)
                self._process = os.getpid()
                threading.Thread(target=self._run, args=(self._waiting,), name="doorward", daemon=True).start()

    def _run(self, waiting: queue.Queue[tuple[str, Future[Token | None]] | None]) -> None:
        held: tuple[str, Future[Token | None]] | None = None
        while True:
            item = held or waiting.get()
            if item is None:
                return
            batch, held, is_last = [item], None, False
            size = len(item[0]) + _OVERHEAD
            end = time.monotonic() + self._max_delay
            while len(batch) < MAX_BATCH:
                try:
                    item = waiting.get(timeout=max(0.0, end - time.monotonic()))
                except queue.Empty:
                    break
                if item is None:
                    is_last = True
                    break
                size += len(item[0]) + _OVERHEAD
                if size > MAX_BATCH_BYTES:
                    held = item
                    break
                batch.append(item)
            # A caller that has given up is left out.
            self._send([each for each in batch if each[1].set_running_or_notify_cancel()])
            if is_last:
                return

    def _send(self, batch: Sequence[tuple[str, Future[Token | None]]]) -> None:
        if not batch:
            return
        try:
            results = self._admin.validate([token for token, _ in batch])
        except Exception as error:
            for _, future in batch:
                future.set_exception(_failed(error))
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)

    def close(self) -> None:
        """Stops the thread once it has answered those that wait. A later check starts it again."""
        with self._lock:
            if self._process == os.getpid():
                self._waiting.put(None)
                self._process = 0


class AsyncBatcher:
    """Judges tokens in batches, for asyncio."""

    def __init__(
        self,
        admin: AsyncAdmin,
        *,
        max_delay: float = 0.002,
        max_waiting: int = 10_000,
        timeout: float = 2.0,
        cookie_name: str = "doorward",
    ) -> None:
        """At most `max_waiting` tokens wait for an answer; further ones are Unavailable at once.

        `timeout` bounds each check, in seconds.
        """
        self._admin = admin
        self._max_delay = max_delay
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._cookie_name = cookie_name
        self._batch: list[tuple[str, asyncio.Future[Token | None]]] = []
        self._size = 0
        self._count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def check(self, request: ClientRequest | str, *, optional: bool = False) -> Verdict:
        """Judges a request, or a bare token string."""
        found = _find(request, self._cookie_name)
        if found is None:
            return ANONYMOUS if optional else NO_TOKEN
        return _verdict(await self.validate(found.token), found, optional)

    async def validate(self, token: str) -> Token | None:
        """Judges a token string. The caller must look at `allowed_header` and `allowed_cookie` itself."""
        if not is_sendable(token):
            return None
        self._enter_loop()
        if self._count >= self._max_waiting:
            raise _full()
        future: asyncio.Future[Token | None] = asyncio.get_running_loop().create_future()
        self._add(token, future)
        self._count += 1
        try:
            # If the caller is cancelled, only its own future is, not the batch.
            async with asyncio.timeout(self._timeout):
                return await future
        except TimeoutError as error:
            raise Unavailable("doorward did not answer in time") from error
        finally:
            self._count -= 1

    def _add(self, token: str, future: asyncio.Future[Token | None]) -> None:
        size = len(token) + _OVERHEAD
        if self._size + size > MAX_BATCH_BYTES:
            self._flush()
        self._batch.append((token, future))
        self._size += size
        if len(self._batch) >= MAX_BATCH:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._max_delay, self._flush)

    def _flush(self) -> None:
        """Sends what has been collected."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._batch, self._size = self._batch, [], 0
        if batch:
            task = asyncio.get_running_loop().create_task(self._send(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, batch: Sequence[tuple[str, asyncio.Future[Token | None]]]) -> None:
        # A caller that has given up is left out.
        batch = [each for each in batch if not each[1].done()]
        if not batch:
            return
        try:
            results = await self._admin.validate([token for token, _ in batch])
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(_failed(error))
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)

    def _enter_loop(self) -> None:
        """Forgets what waits in another event loop, which has ended."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._timer, self._count = loop, None, 0
            self._batch, self._size = [], 0
            self._tasks.clear()

    async def close(self) -> None:
        """Sends what waits, and waits for the answers."""
        self._enter_loop()
        self._flush()
        while self._tasks:
            await asyncio.wait(self._tasks)


def _failed(error: BaseException) -> Unavailable:
    """The error of each caller of a failed batch. In every case, nothing is known about the tokens."""
    if isinstance(error, Unavailable):
        return Unavailable(str(error), error.retry_after)
    reason = str(error) if isinstance(error, DoorwardError) else type(error).__name__
    failed = Unavailable(f"a batch of checks failed: {reason}")
    failed.__cause__ = error
    return failed
