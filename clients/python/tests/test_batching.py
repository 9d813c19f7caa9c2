"""Micro-batching through `/v1/validate`."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest

from doorward import Admin, AsyncAdmin, AsyncBatcher, Batcher, ClientRequest, Unavailable, Verdict

from .conftest import Kind
from .servers import KEY, FakeServer, Server, wait_until


def test_a_batcher_judges_as_the_validation_plane_does(kind: Kind, server: Server) -> None:
    batcher, validator = kind.batcher(server.admin_url), kind.validator(server.url)
    token = server.issue("zoë", auth_slug="web", backend="ldap", scopes=["a", "b"]).token
    no_header, no_cookie = server.issue(allowed_header=False).token, server.issue(allowed_cookie=False).token
    taken = server.issue()
    server.admin().start_takeover(taken.id, "bob")
    headers = [
        [("Authorization", f"Bearer {token}")],
        [("authorization", f"bearer {token}")],
        [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")],
        [("Authorization", f"Bearer {no_header}")],
        [("Authorization", f"Bearer {no_cookie}")],
        [("Authorization", f"Bearer {taken.token}")],
        [("Authorization", "Bearer"), ("Cookie", f"doorward={token}")],
        [("Authorization", "Basic YTpi"), ("Cookie", f"doorward={token}")],
        [("Cookie", f"a=1; doorward={token}; b=2")],
        [("Cookie", f"doorward={token}; doorward={token}")],
        [("Cookie", f"doorward={token}; doorward=other")],
        [("Cookie", f"doorward={no_header}")],
        [("Cookie", f"doorward={no_cookie}")],
        [("Cookie", "doorward=")],
        [("Cookie", "a=1"), ("Cookie", f"doorward={token}")],
        [("Cookie", f"doorward={token}"), ("Cookie", "doorward=other")],
        [("Cookie", f'doorward="{token}"')],
        [("Cookie", f"doorward= {token}")],
        [("Cookie", f"doorward = {token}")],
        [("Cookie", f"Doorward={token}")],
        [("Cookie", f"a;doorward={token};b")],
        [("Cookie", f"doorward=; doorward={token}")],
        [("Cookie", f"doorward={token}=")],
        [("Authorization", f"Bearer  {token}")],
        [("Authorization", f"Bearer {token} x")],
        [("Authorization", f"Bearer\t{token}")],
        [("Authorization", f"Bearer{token}"), ("Cookie", f"doorward={token}")],
        [("Authorization", ""), ("Cookie", f"doorward={token}")],
        [("Authorization", str(token)), ("Cookie", f"doorward={token}")],
        [("Authorization", "Bearer "), ("Cookie", f"doorward={token}")],
        [("Authorization", "Basic YTpi"), ("Authorization", "Basic YTpi"), ("Cookie", f"doorward={token}")],
        [("Cookie", "doorward=dw_made-up")],
        [],
    ]
    for each in headers:
        for optional in (False, True):
            request = ClientRequest(each)
            ours, theirs = (checker.check(request, optional=optional) for checker in (batcher, validator))
            assert _without_time(ours) == _without_time(theirs), each


def test_random_requests_are_judged_as_by_the_validation_plane(server: Server) -> None:
    validator, batcher = server.validator(), Batcher(server.admin(), max_delay=0, timeout=30)
    token = server.issue("alice").token or ""
    pieces = [
        "Bearer",
        "bearer",
        "Basic",
        " ",
        "  ",
        "\t",
        token,
        token,
        "x",
        "",
        '"',
        "doorward",
        "=",
        ";",
        ";",
        ",",
        "é",
    ]
    random = Random(16)
    for _ in range(500):
        lines = []
        for name in ("Authorization", "Cookie", "Cookie")[random.randint(0, 2) : random.randint(1, 3)]:
            start = "Bearer " if name == "Authorization" else "doorward="
            lines.append((name, random.choice(["", start]) + "".join(random.choices(pieces, k=random.randint(0, 5)))))
        request = ClientRequest(lines)
        assert _without_time(batcher.check(request)) == _without_time(validator.check(request)), lines


def _without_time(verdict: Verdict) -> Any:
    identity = verdict.identity
    known = None if identity is None else {**vars(identity), "expires_in": identity.expires_in > 0}
    return verdict.status, verdict.headers, known


def test_a_pending_token_is_invalid(kind: Kind, server: Server) -> None:
    assert kind.batcher(server.admin_url).check(server.issue(is_authenticated=False).token).status == 401


class Recorder:
    """A fake admin plane that answers every token as its own user, and counts batches."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.gate = gate
        self.fake = FakeServer(self._answer)

    def _answer(self, _: int) -> bytes:
        asked = json.loads(self.fake.current.request.partition(b"\r\n\r\n")[2])["tokens"]
        if self.gate is not None:
            self.gate.wait(60)
        time = "2099-11-24T01:17:38.148Z"
        base = {"created_at": time, "last_access": time, "expires_at": time, "is_active": True}
        body = json.dumps({"results": [{**base, "id": token, "user": token} for token in asked]}).encode()
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)

    def batches(self) -> list[int]:
        return [len(json.loads(each.partition(b"\r\n\r\n")[2])["tokens"]) for each in self.fake.requests]


def test_concurrent_threads_share_batches() -> None:
    gate = threading.Event()
    recorder = Recorder(gate)
    with recorder.fake as fake, ThreadPoolExecutor(100) as pool:
        batcher = Batcher(Admin(fake.url, KEY, timeout=60), timeout=60)
        futures = [pool.submit(batcher.validate, f"token{n}") for n in range(100)]
        # All others wait while the first batch is under way.
        wait_until(lambda: len(fake.requests) == 1 and recorder.batches()[0] + batcher._waiting.qsize() == 100)
        gate.set()
        users = [getattr(future.result(), "user", None) for future in futures]
        assert users == [f"token{n}" for n in range(100)]
        assert sum(recorder.batches()) == 100 and len(fake.requests) <= 2
        batcher.close()


def test_concurrent_tasks_share_batches() -> None:
    async def run(fake: FakeServer) -> None:
        batcher = AsyncBatcher(AsyncAdmin(fake.url, KEY, timeout=60), timeout=60)
        tokens = await asyncio.gather(*(batcher.validate(f"token{n}") for n in range(2500)))
        assert [token and token.user for token in tokens] == [f"token{n}" for n in range(2500)]
        await batcher.close()

    recorder = Recorder()
    with recorder.fake as fake:
        asyncio.run(run(fake))
        assert sorted(recorder.batches()) == [500, 1000, 1000]


def test_a_batch_fits_into_a_request(kind: Kind, server: Server) -> None:
    """A client that sends long tokens must not spoil the batch of the others."""
    batcher, token = kind.batcher(server.admin_url), server.issue().token
    asked = [f"{'x' * 1000}{n}" for n in range(150)] + [token]

    if kind.name == "async":

        async def run() -> Any:
            return await asyncio.gather(*(batcher._client.validate(each) for each in asked))

        results = kind.runner.run(run())
    else:
        with ThreadPoolExecutor(len(asked)) as pool:
            results = list(pool.map(batcher.validate, asked))
    assert [result is not None for result in results] == [False] * 150 + [True]


def test_a_failed_batch_fails_all_its_callers(kind: Kind) -> None:
    answers = [b"HTTP/1.1 503 Down\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n"]
    answers.append(b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n")
    answers.append(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
    answers.append(b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n" + b'{"results":[]}')
    for answer in answers:
        with FakeServer(lambda _, answer=answer: answer) as fake:  # type: ignore[misc]
            with pytest.raises(Unavailable):
                kind.batcher(fake.url).check("dw_token")


def test_all_callers_of_a_failed_batch_hear_of_it() -> None:
    async def run(url: str) -> list[Any]:
        batcher = AsyncBatcher(AsyncAdmin(url, KEY, timeout=60), timeout=60)
        return await asyncio.gather(*(batcher.check("dw_token") for _ in range(50)), return_exceptions=True)

    answer = b"HTTP/1.1 503 Down\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n"
    with FakeServer(lambda _: answer) as fake:
        errors = asyncio.run(run(fake.url))
        assert all(isinstance(error, Unavailable) and error.retry_after == 3 for error in errors)
        assert len(fake.requests) == 1


def test_the_queue_is_bounded() -> None:
    async def run(fake: FakeServer) -> None:
        batcher = AsyncBatcher(AsyncAdmin(fake.url, KEY, timeout=60), max_waiting=10, timeout=60)
        tasks = [asyncio.create_task(batcher.validate(f"token{n}")) for n in range(10)]
        await asyncio.to_thread(wait_until, lambda: len(fake.requests) == 1)
        with pytest.raises(Unavailable, match="too many"):
            await batcher.validate("one-more")
        gate.set()
        await asyncio.gather(*tasks)
        assert await batcher.validate("later") is not None

    gate = threading.Event()
    recorder = Recorder(gate)
    with recorder.fake as fake:
        asyncio.run(run(fake))


def test_the_queue_of_threads_is_bounded() -> None:
    gate = threading.Event()
    recorder = Recorder(gate)
    with recorder.fake as fake, ThreadPoolExecutor(3) as pool:
        batcher = Batcher(Admin(fake.url, KEY, timeout=60), max_waiting=1, max_delay=0, timeout=60)
        first = pool.submit(batcher.validate, "first")
        wait_until(lambda: len(fake.requests) == 1)
        second = pool.submit(batcher.validate, "second")
        wait_until(lambda: batcher._waiting.full())
        with pytest.raises(Unavailable, match="too many"):
            batcher.validate("third")
        gate.set()
        assert first.result() is not None and second.result() is not None
        batcher.close()


def test_a_caller_that_is_cancelled_does_not_disturb_the_others() -> None:
    async def run(fake: FakeServer) -> None:
        batcher = AsyncBatcher(AsyncAdmin(fake.url, KEY, timeout=60), timeout=60)
        given_up, waiting = (asyncio.create_task(batcher.validate(each)) for each in ("first", "second"))
        await asyncio.to_thread(wait_until, lambda: len(fake.requests) == 1)
        given_up.cancel()
        early = asyncio.create_task(batcher.validate("early"))
        await asyncio.sleep(0)
        early.cancel()
        gate.set()
        token = await waiting
        assert token is not None and token.user == "second"
        with pytest.raises(asyncio.CancelledError):
            await given_up
        await batcher.close()

    gate = threading.Event()
    recorder = Recorder(gate)
    with recorder.fake as fake:
        asyncio.run(run(fake))
        # Nobody waits for the token of the cancelled caller, so it was not asked.
        assert recorder.batches() == [2]


def test_a_caller_waits_until_its_deadline(kind: Kind) -> None:
    with FakeServer(lambda _: b"") as fake, pytest.raises(Unavailable, match="in time"):
        kind.batcher(fake.url, timeout=0.05).check("dw_token")


def test_a_forked_child_has_a_thread_of_its_own(server: Server) -> None:
    batcher, token = Batcher(server.admin(), timeout=30), server.issue().token or ""
    assert batcher.check(token).allowed
    child = os.fork()
    if child == 0:
        os._exit(0 if batcher.check(token).allowed else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert batcher.check(token).allowed


def test_a_batcher_can_be_closed_and_used_again(kind: Kind, server: Server) -> None:
    batcher, token = kind.batcher(server.admin_url), server.issue().token
    for _ in range(2):
        assert batcher.check(token).allowed
        batcher.close()
