"""Connections: keep-alive, stale ones, deadlines, unix sockets, TLS, forks, malformed answers."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from doorward import Admin, AsyncValidator, ClientRequest, Unavailable, Validator
from doorward._calls import issue
from doorward._http import BrokenAnswer, Endpoint, Parser, Request, Response
from doorward._request import check_request, find_token

from .conftest import Kind
from .servers import IP, KEY, OK, FakeServer, Server, on_unix_sockets, wait_until

TOKEN = (
    b'{"id":"abc","user":"alice","created_at":"2026-11-24T01:17:38.148Z","last_access":"2026-11-24T01:17:38.148Z",'
    b'"expires_at":"2026-11-24T01:17:38.148Z","is_active":true,"token":"dw_x"}'
)
ISSUED = b"HTTP/1.1 201 Created\r\ncontent-length: %d\r\n\r\n%s" % (len(TOKEN), TOKEN)


def test_one_connection_serves_many_requests(kind: Kind) -> None:
    with FakeServer(lambda _: OK) as fake:
        validator = kind.validator(fake.url)
        for _ in range(5):
            assert validator.check("dw_token").allowed
        assert (fake.connections, len(fake.requests)) == (1, 5)


def test_an_answer_may_end_its_connection(kind: Kind) -> None:
    closing = OK.replace(b"content-length", b"connection: close\r\ncontent-length")
    with FakeServer(lambda _: closing) as fake:
        validator = kind.validator(fake.url)
        for _ in range(2):
            assert validator.check("dw_token").allowed
        assert fake.connections == 2


def test_a_check_survives_a_restart_of_the_server(kind: Kind) -> None:
    with FakeServer(lambda _: OK) as fake:
        validator = kind.validator(fake.url)
        assert validator.check("dw_token").allowed
        fake.close_connections()
        assert validator.check("dw_token").allowed
        assert fake.connections == 2


def test_a_check_is_repeated_on_a_connection_that_closes_under_it(kind: Kind) -> None:
    with FakeServer(lambda number: OK if number == 0 else None) as fake:
        validator = kind.validator(fake.url)
        assert validator.check("dw_token").allowed
        assert validator.check("dw_token").allowed
        assert (fake.connections, len(fake.requests)) == (2, 3)


def test_a_change_without_a_key_is_never_repeated(kind: Kind) -> None:
    with FakeServer(lambda number: ISSUED if number == 0 else None) as fake:
        admin = kind.admin(fake.url)
        assert admin.device_login("phone", "dwd_x", IP).token == "dw_x"
        with pytest.raises(Unavailable):
            admin.device_login("phone", "dwd_x", IP)
        assert len(fake.requests) == 2


def test_a_revocation_may_be_repeated(kind: Kind) -> None:
    with FakeServer(lambda number: b"HTTP/1.1 204 No Content\r\n\r\n" if number == 0 else None) as fake:
        admin = kind.admin(fake.url)
        admin.revoke("abc")
        admin.revoke("abc")
        assert len(fake.requests) == 3


def test_a_change_does_not_use_a_connection_that_the_server_has_closed(kind: Kind) -> None:
    with FakeServer(lambda _: ISSUED) as fake:
        admin = kind.admin(fake.url)
        admin.device_login("phone", "dwd_x", IP)
        fake.close_connections()
        [kept] = admin._transport._idle if kind.name == "sync" else admin._client._transport._idle
        if kind.name == "async":
            # The event loop hears of it in one of its next rounds.
            kind.runner.run(asyncio.to_thread(wait_until, kept.is_stale))
        wait_until(kept.is_stale)
        assert admin.device_login("phone", "dwd_x", IP).token == "dw_x"


def test_a_new_connection_that_breaks_is_not_repeated(kind: Kind) -> None:
    with FakeServer(lambda _: None) as fake:
        with pytest.raises(Unavailable):
            kind.validator(fake.url).check("dw_token")
        assert len(fake.requests) == 1


def test_a_silent_server_is_unavailable(kind: Kind) -> None:
    with FakeServer(lambda _: b"") as fake, pytest.raises(Unavailable, match="timed out"):
        kind.validator(fake.url, timeout=0.05).check("dw_token")


def test_a_server_that_dribbles_is_unavailable(kind: Kind) -> None:
    """The deadline is for the whole answer: this one would never end."""
    stop = threading.Event()

    def dribble(_: int) -> bytes:
        connection = fake._open[-1]
        connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
        while not stop.wait(0.01):
            connection.sendall(b"x")
        return b""

    with FakeServer(dribble) as fake:
        try:
            with pytest.raises(Unavailable, match="timed out"):
                kind.validator(fake.url, timeout=0.1).check("dw_token")
        finally:
            stop.set()


def test_nobody_listening_is_unavailable(kind: Kind, tmp_path: Path) -> None:
    for url in ["http://127.0.0.1:1", f"unix:{tmp_path}/none.sock"]:
        with pytest.raises(Unavailable):
            kind.validator(url).check("dw_token")


def test_both_planes_work_on_unix_sockets(kind: Kind) -> None:
    with on_unix_sockets() as server:
        token = kind.admin(server.admin_url).issue("alice", IP)
        assert kind.validator(server.url).check(token.token).identity.user == "alice"


def test_tls_needs_a_trusted_certificate(kind: Kind, tmp_path: Path) -> None:
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )
    with Server(tls_cert=cert, tls_key=key) as server:
        trusting = kind.validator(server.url, tls=ssl.create_default_context(cafile=cert))
        admin = Admin(server.admin_url.replace("https", "http"), KEY)
        token = admin.issue("alice", IP).token
        for _ in range(3):
            assert trusting.check(token).identity.user == "alice"
        with pytest.raises(Unavailable):
            kind.validator(server.url).check(token)


def test_a_forked_child_uses_its_own_connections() -> None:
    with FakeServer(lambda _: OK) as fake:
        validator = Validator(fake.url)
        assert validator.check("dw_token").allowed
        child = os.fork()
        if child == 0:
            os._exit(0 if validator.check("dw_token").allowed else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert validator.check("dw_token").allowed
        assert (fake.connections, len(fake.requests)) == (2, 3)


def test_threads_never_share_a_connection(server: Server) -> None:
    validator, users = Validator(server.url, timeout=30), [f"user{n}" for n in range(8)]
    tokens = {user: server.issue(user).token for user in users}
    wrong: list[object] = []

    def ask(user: str) -> None:
        for _ in range(50):
            identity = validator.check(tokens[user] or "").identity
            if identity is None or identity.user != user:
                wrong.append(identity)

    threads = [threading.Thread(target=ask, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_cancelled_check_does_not_leave_its_answer_to_the_next_one() -> None:
    answer = threading.Event()

    def script(_: int) -> bytes:
        answer.wait(60)
        return OK

    async def run(fake: FakeServer) -> None:
        validator = AsyncValidator(fake.url, timeout=60)
        task = asyncio.create_task(validator.check("dw_first"))
        await asyncio.to_thread(wait_until, lambda: len(fake.requests) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        answer.set()
        assert (await validator.check("dw_second")).allowed
        assert fake.connections == 2

    with FakeServer(script) as fake:
        asyncio.run(run(fake))


def test_an_async_client_works_in_one_event_loop_after_another(server: Server) -> None:
    validator, token = AsyncValidator(server.url, timeout=30), server.issue().token or ""
    for _ in range(2):
        assert asyncio.run(validator.check(token)).allowed


def test_many_tasks_share_a_bounded_number_of_connections() -> None:
    async def run(fake: FakeServer) -> None:
        validator = AsyncValidator(fake.url, timeout=60)
        verdicts = await asyncio.gather(*(validator.check("dw_token") for _ in range(500)))
        assert all(verdict.allowed for verdict in verdicts)
        assert fake.connections <= 100

    with FakeServer(lambda _: OK) as fake:
        asyncio.run(run(fake))


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: x\r\n\r\n", b"a"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_answers_arrive_in_pieces(answer: bytes, body: bytes) -> None:
    for size in range(1, len(answer) + 1):
        parser = Parser()
        pieces = [answer[at : at + size] for at in range(0, len(answer), size)]
        results = [parser.feed(piece) for piece in pieces]
        assert all(result is None for result in results[:-1])
        last = results[-1]
        assert last is not None and (last.body, last.is_last) == (body, False)


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    parser = Parser()
    assert parser.feed(b"HTTP/1.1 200 OK\r\n\r\nhel") is None
    assert parser.feed(b"lo") is None
    response = parser.feed(b"")
    assert response is not None and (response.body, response.is_last) == (b"hello", True)


def test_bytes_after_an_answer_end_its_connection() -> None:
    response = Parser().feed(OK + b"HTTP/1.1 200 OK\r\n")
    assert response is not None and response.is_last


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n" + b"x" * (65 * 1024 * 1024),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
        b"HTTP/1.1 200 OK\r\nx: " + b"x" * 70000,
        b"",
    ],
)
def test_malformed_answers_are_unavailable(answer: bytes) -> None:
    parser = Parser()
    with pytest.raises(BrokenAnswer):
        parser.feed(answer)
        parser.feed(b"")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://host", "http://host/path", "http://", "http://h?q"])
def test_a_bad_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL of Doorward"):
        Endpoint.parse(url)


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\0b"])
def test_a_header_cannot_smuggle_a_line(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        Request("GET", "/auth", [("X", value)]).encode(Endpoint.parse("http://[::1]:80"))


def test_no_secret_is_in_a_representation() -> None:
    """Error reports show the local variables of every function."""
    secret = "dw_the-secret"
    request = ClientRequest.bearing(secret)
    shown: list[object] = [request, find_token(request, "doorward"), check_request(request, False, None, ())]
    shown += [
        issue("alice", IP, {}).request(secret),
        Admin("http://h", secret),
        Response(200, [("set-cookie", secret)], b""),
    ]
    assert all(each is not None and secret not in repr(each) for each in shown)
