"""The WSGI middleware behind a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.validate import validator as validated

from doorward import Batcher, Unavailable, Validator, Verdict
from doorward.wsgi import DoorwardMiddleware

from .servers import Server


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    identity = environ["doorward.identity"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"nobody" if identity is None else identity.user.encode()]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(checker: Any, **options: Any) -> Iterator[int]:
    """Serves the application behind the middleware; wsgiref checks both against the standard."""
    wrapped = validated(DoorwardMiddleware(validated(app), checker, **options))
    with make_server("127.0.0.1", 0, wrapped, handler_class=_Quiet) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def get(port: int, headers: dict[str, str]) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/", headers=headers)
    response = connection.getresponse()
    return response, response.read()


def test_requests_pass_with_their_user(server: Server) -> None:
    token = server.issue("alice").token
    for checker in (server.validator(), Batcher(server.admin(), timeout=30)):
        with serving(checker) as port:
            response, body = get(port, {"Authorization": f"Bearer {token}"})
            assert (response.status, body) == (200, b"alice")
            assert get(port, {"Cookie": f"doorward={token}"})[1] == b"alice"
            response, _ = get(port, {})
            assert (response.status, response.headers["WWW-Authenticate"]) == (401, 'Bearer realm="doorward"')
            response, _ = get(port, {"Authorization": "Bearer no"})
            assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
            assert response.headers["Cache-Control"] == "no-store"


def test_an_optional_user_may_be_nobody(server: Server) -> None:
    token = server.issue("alice").token
    with serving(server.validator(), optional=True) as port:
        assert get(port, {})[1] == b"nobody"
        assert get(port, {"Authorization": "Bearer no"})[1] == b"nobody"
        assert get(port, {"Authorization": f"Bearer {token}"})[1] == b"alice"


def test_a_pending_token_gets_403(server: Server) -> None:
    with serving(server.validator()) as port:
        response, _ = get(port, {"Authorization": f"Bearer {server.issue(is_authenticated=False).token}"})
        assert (response.status, response.headers["X-Auth-Reason"]) == (403, "second-factor")


def test_an_outage_is_503(server: Server) -> None:
    class Down:
        def check(self, *_: Any, **__: Any) -> Verdict:
            raise Unavailable("down", retry_after=5)

    for optional in (False, True):
        for checker in (Down(), Validator("http://127.0.0.1:1")):
            with serving(checker, optional=optional) as port:
                response, _ = get(port, {"Authorization": "Bearer x"})
                assert (response.status, response.headers["WWW-Authenticate"]) == (503, None)
                assert int(response.headers["Retry-After"]) >= 1
