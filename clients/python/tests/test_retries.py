"""Calls with an `Idempotency-Key`: sent again after a broken connection or a 503, and done once."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from doorward import Conflict, Unavailable
from doorward._http import Parser

from .conftest import Kind
from .servers import IP, FakeServer, Server
from .test_transport import ISSUED

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: %d\r\ncontent-length: 0\r\n\r\n"


def relay(server: Server, is_lost: Callable[[int], bool]) -> FakeServer:
    """Passes requests on to a server. The answers to those that `is_lost` names are lost: their connections break."""

    def script(_: int) -> bytes | None:
        number = len(fake.requests)
        answer = exchange(server.admin_url, fake.current.request)
        return None if is_lost(number) else answer

    fake = FakeServer(script)
    return fake


def exchange(url: str, request: bytes) -> bytes:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(request)
        answer, parser = b"", Parser()
        while True:
            received = connection.recv(65536)
            answer += received
            if parser.feed(received) is not None:
                return answer


def idempotency_keys(fake: FakeServer) -> list[str]:
    found = (re.search(rb"\r\nIdempotency-Key: (.*?)\r\n", request) for request in fake.requests)
    return [match[1].decode() if match else "" for match in found]


def test_a_lost_issue_gives_one_token_with_a_good_secret(kind: Kind, server: Server) -> None:
    with relay(server, lambda number: number == 1) as fake:
        admin = kind.admin(fake.url)
        issued = admin.issue("alice", IP, auth_slug="web", scopes=["a"], set_cookie=True)
        assert [each.id for each in admin.tokens("alice").items] == [issued.id]
        first, again, rotation, _ = idempotency_keys(fake)
    assert first == again != rotation and min(len(first), len(rotation)) == 36
    assert (issued.auth_slug, issued.scopes) == ("web", ("a",)) and issued.token in issued.set_cookie
    assert kind.validator(server.url).check(issued.token).identity.token_id == issued.id


def test_a_lost_rotation_gives_a_good_secret(kind: Kind, server: Server) -> None:
    issued = server.issue()
    with relay(server, lambda number: number == 1) as fake:
        rotated = kind.admin(fake.url).rotate(issued.id, set_cookie=True)
        assert len(fake.requests) == 3
    assert rotated.id == issued.id and rotated.token in rotated.set_cookie
    assert kind.validator(server.url).check(rotated.token).allowed


def test_a_lost_creation_gives_a_device_that_can_log_in(kind: Kind, server: Server) -> None:
    with relay(server, lambda number: number == 1) as fake:
        admin = kind.admin(fake.url)
        device = admin.create_device("alice", "phone", name="Phone")
        assert (device.created, device.name) == (True, "Phone")
        assert admin.device_login("phone", device.login_token, IP).device == "phone"
        found = admin.create_device("alice", "phone")
        assert (found.created, found.login_token) == (False, None)


def test_the_answer_to_a_recovery_may_be_lost_too(kind: Kind, server: Server) -> None:
    """The issue, its repeat, the rotation, and its repeat, which is refused: it is not recovered without an end."""
    with relay(server, lambda number: number in (1, 3)) as fake:
        with pytest.raises(Conflict, match="idempotency-replay") as raised:
            kind.admin(fake.url).issue("alice", IP)
        assert raised.value.token_id == server.admin().tokens("alice").items[0].id
        assert len(fake.requests) == 4


def test_a_503_is_tried_again_once(kind: Kind) -> None:
    with FakeServer(lambda number: BUSY % 0 if number == 0 else ISSUED) as fake:
        assert kind.admin(fake.url).issue("alice", IP).token == "dw_x"
        first, again = idempotency_keys(fake)
        assert first == again
    with FakeServer(lambda _: BUSY % 0) as fake:
        with pytest.raises(Unavailable):
            kind.admin(fake.url).issue("alice", IP)
        assert len(fake.requests) == 2


def test_a_wait_beyond_the_deadline_is_not_begun(kind: Kind) -> None:
    with FakeServer(lambda _: BUSY % 3600) as fake:
        with pytest.raises(Unavailable) as raised:
            kind.admin(fake.url).issue("alice", IP)
        assert raised.value.retry_after == 3600
        assert len(fake.requests) == 1


def test_a_connection_that_always_breaks_is_unavailable(kind: Kind) -> None:
    with FakeServer(lambda _: None) as fake:
        with pytest.raises(Unavailable):
            kind.admin(fake.url).issue("alice", IP)
        assert len(fake.requests) == 2


def test_each_call_has_a_key_of_its_own(kind: Kind) -> None:
    with FakeServer(lambda _: ISSUED) as fake:
        admin = kind.admin(fake.url)
        admin.issue("alice", IP)
        admin.issue("alice", IP)
        admin.show("abc")
        first, second, none = idempotency_keys(fake)
        assert first != second and none == ""
