"""Single checks through `/auth`."""

from __future__ import annotations

import pytest

from doorward import ClientRequest, Identity, Unavailable, Verdict

from .conftest import Kind
from .servers import FakeServer, Server, wait_until

INVALID = 'Bearer realm="doorward", error="invalid_token"'


def test_a_valid_token_names_its_user(kind: Kind, server: Server) -> None:
    token = server.issue("zoë", auth_slug="web", backend="ldap", scopes=["a", "b"])
    verdict = kind.validator(server.url).check(token.token)
    assert verdict.allowed
    assert verdict.identity == Identity(
        user="zoë",
        actor="zoë",
        token_id=token.id,
        slug="web",
        backend="ldap",
        expires_in=verdict.identity.expires_in,
        scopes=("a", "b"),
        via="header",
    )
    assert 0 < verdict.identity.expires_in <= 3600


def test_a_takeover_names_both_users(kind: Kind, server: Server) -> None:
    token = server.issue()
    server.admin().start_takeover(token.id, "bob")
    identity = kind.validator(server.url).check(token.token).identity
    assert (identity.user, identity.actor, identity.is_takeover) == ("bob", "alice", True)


@pytest.mark.parametrize("token", ["dw_made-up", "", "two words", "é", "\r\nX-Forged: 1", "x" * 5000])
def test_an_invalid_token_is_refused(kind: Kind, server: Server, token: str) -> None:
    verdict = kind.validator(server.url).check(token)
    assert verdict == Verdict(401, headers=(("WWW-Authenticate", INVALID),))


def test_a_request_without_a_token_is_refused_unless_it_is_optional(kind: Kind, server: Server) -> None:
    validator = kind.validator(server.url)
    refused = validator.check(ClientRequest([]))
    assert refused == Verdict(401, headers=(("WWW-Authenticate", 'Bearer realm="doorward"'),))
    assert validator.check(ClientRequest([]), optional=True) == Verdict(200)
    assert validator.check("dw_made-up", optional=True) == Verdict(200)


def test_a_cookie_carries_the_token_and_the_bearer_header_decides_alone(kind: Kind, server: Server) -> None:
    validator, token = kind.validator(server.url), server.issue()
    cookie = ("Cookie", f"other=1; doorward={token.token}")
    assert validator.check(ClientRequest([cookie])).identity.via == "cookie"
    assert validator.check(ClientRequest([cookie, ("Authorization", "Basic YTpi")])).allowed
    assert validator.check(ClientRequest([cookie, ("Authorization", "Bearer no")])).status == 401


def test_a_token_is_refused_on_a_transport_that_is_not_allowed(kind: Kind, server: Server) -> None:
    validator, token = kind.validator(server.url), server.issue(allowed_header=False)
    assert validator.check(token.token).status == 401
    assert validator.check(ClientRequest([("Cookie", f"doorward={token.token}")])).allowed


def test_a_pending_token_is_refused_with_its_reason(kind: Kind, server: Server) -> None:
    verdict = kind.validator(server.url).check(server.issue(is_authenticated=False).token)
    assert (verdict.status, verdict.reason) == (403, "second-factor")


def test_an_unknown_check_lets_no_request_pass(kind: Kind, server: Server) -> None:
    with pytest.raises(Unavailable, match="404"):
        kind.validator(server.url).check(server.issue().token, name="no such check")


def test_logout_revokes_the_token_and_clears_the_cookie(kind: Kind, server: Server) -> None:
    validator, token = kind.validator(server.url), server.issue()
    request = ClientRequest([("Cookie", f"doorward={token.token}")], method="POST", host="shop.example")
    evil = ClientRequest([*request.headers, ("Origin", "https://evil.example")], "POST", host="shop.example")
    assert validator.logout(evil).ended is None
    done = validator.logout(request)
    assert done.ended == "token"
    assert done.set_cookies[0].startswith("doorward=; Path=/; Max-Age=0")
    assert validator.check(token.token).status == 401
    assert validator.logout(request).ended is None


def test_another_site_cannot_use_the_cookie(kind: Kind) -> None:
    with Server(cookie_csrf_check="true", trusted_proxies="127.0.0.1") as server:
        cookie = ("Cookie", f"doorward={server.issue().token}")
        validator = kind.validator(server.url)
        for origin, status in [("https://shop.example", 200), ("https://evil.example", 403)]:
            request = ClientRequest([cookie, ("Origin", origin)], "POST", "https", "shop.example", "203.0.113.7")
            assert validator.check(request).status == status


def test_the_request_says_what_doorward_needs_and_no_more(kind: Kind) -> None:
    with FakeServer(lambda _: b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n") as fake:
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        forged = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Method", "GET"), ("X-Original-Method", "GET")]
        sent = [("traceparent", trace), ("X-Request-Id", "abc"), ("X-Private", "1"), ("X-Token", "t"), *forged]
        request = ClientRequest(sent, "DELETE", "https", "shop.example", "203.0.113.7")
        kind.validator(fake.url, forward_headers=["x-token"]).check(request)
        [head] = fake.requests
        lines = head.decode().split("\r\n")[:-2]
        assert sorted(lines[1:]) == [
            "Host: shop.example",
            "X-Forwarded-For: 203.0.113.7",
            "X-Forwarded-Host: shop.example",
            "X-Forwarded-Method: DELETE",
            "X-Forwarded-Proto: https",
            "X-Request-Id: abc",
            "X-Token: t",
            f"traceparent: {trace}",
        ]
        assert lines[0] == "GET /auth HTTP/1.1"


@pytest.mark.parametrize("status", ["503 Down", "500 Error", "302 Found", "431 Large", "204 None"])
def test_only_401_and_403_are_refusals(kind: Kind, status: str) -> None:
    with FakeServer(lambda _: f"HTTP/1.1 {status}\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n".encode()) as fake:
        validator = kind.validator(fake.url)
        with pytest.raises(Unavailable) as raised:
            validator.check("dw_token")
        assert raised.value.retry_after == 7


def test_an_answer_without_a_user_is_not_a_login(kind: Kind) -> None:
    """A server that is not Doorward must not let everybody in."""
    with FakeServer(lambda _: b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as fake:
        for optional in (False, True):
            with pytest.raises(Unavailable):
                kind.validator(fake.url).check("dw_token", optional=optional)


@pytest.mark.parametrize(("step", "is_renewed"), [("10%", False), ("0%", True)])
def test_a_token_is_renewed_in_steps(step: str, is_renewed: bool) -> None:
    with Server(renewal_step=step) as server:
        token = server.issue(idle_seconds=1000)
        validator = server.validator()

        def has_accessed() -> bool:
            # The first access may be in the millisecond of the issue. Accesses are written every second.
            assert validator.check(token.token or "").allowed
            return server.admin().show(token.id).last_access > token.last_access

        wait_until(has_accessed)
        assert (server.admin().show(token.id).expires_at > token.expires_at) == is_renewed
