"""An outage is 503 and never 401; afterwards everything works again by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from doorward import Unavailable

from .conftest import Kind
from .servers import IP, Redis, Server, on_unix_sockets, wait_until


def _is_up(ask: Callable[[], Any]) -> bool:
    try:
        ask()
    except Unavailable:
        return False
    return True


def _eventually(ask: Callable[[], Any]) -> Any:
    """The answer, once there is one: each part of the server connects to Redis by itself."""
    wait_until(lambda: _is_up(ask))
    return ask()


def test_a_killed_server_is_unavailable_until_it_is_back(kind: Kind) -> None:
    with on_unix_sockets(token_keys="k" * 32) as server:
        validator, admin, batcher = (
            kind.validator(server.url),
            kind.admin(server.admin_url),
            kind.batcher(server.admin_url),
        )
        token = admin.issue("alice", IP).token
        assert validator.check(token).allowed and batcher.check(token).allowed
        server.kill()
        for _ in range(2):
            for ask in (validator.check, batcher.check):
                for optional in (False, True):
                    with pytest.raises(Unavailable):
                        ask(token, optional=optional)
            with pytest.raises(Unavailable):
                admin.issue("alice", IP)
            with pytest.raises(Unavailable):
                admin.revoke_all("alice")
        server.start()
        # The embedded store has forgotten the token, so now it is really invalid.
        assert validator.check(token).status == 401
        token = admin.issue("alice", IP).token
        assert validator.check(token).allowed and batcher.check(token).allowed


def test_a_store_that_is_down_is_unavailable_until_it_is_back(kind: Kind) -> None:
    with Redis() as redis, Server(redis_url=redis.url) as server:
        validator, admin, batcher = (
            kind.validator(server.url),
            kind.admin(server.admin_url),
            kind.batcher(server.admin_url),
        )
        _eventually(lambda: admin.tokens("alice"))
        token, other = admin.issue("alice", IP), admin.issue("alice", IP)
        assert _eventually(lambda: validator.check(token.token)).allowed
        redis.kill()
        # `other` is not in the near cache.
        wait_until(lambda: not _is_up(lambda: validator.check(token.token)))
        for each in (token, other):
            with pytest.raises(Unavailable) as raised:
                validator.check(each.token)
            assert raised.value.retry_after == 1
            with pytest.raises(Unavailable):
                batcher.check(each.token)
        with pytest.raises(Unavailable):
            admin.revoke(token.id)
        # A forged token needs no store: it is refused all the same.
        assert validator.check("dw_made-up").status == 401
        redis.start()
        for each in (token.token, other.token):
            for ask in (validator.check, batcher.check):
                assert _eventually(partial(ask, each)).allowed
