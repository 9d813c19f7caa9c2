"""The ASGI middleware around a Starlette application, behind uvicorn."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from doorward import AsyncBatcher, AsyncValidator
from doorward.asgi import DoorwardMiddleware

from .servers import Server, wait_until
from .test_wsgi import get


async def index(request: Request) -> PlainTextResponse:
    identity = request.scope["doorward.identity"]
    return PlainTextResponse("nobody" if identity is None else identity.user)


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(websocket.scope["doorward.identity"].user)
    await websocket.close()


@contextmanager
def serving(checker: Any, **options: Any) -> Iterator[int]:
    app = Starlette(routes=[Route("/", index), WebSocketRoute("/ws", echo)])
    listener = socket.create_server(("127.0.0.1", 0))
    wrapped: Any = DoorwardMiddleware(app, checker, **options)
    config = uvicorn.Config(wrapped, log_config=None, ws="wsproto", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def checkers(server: Server) -> list[Any]:
    from doorward import AsyncAdmin

    from .servers import KEY

    admin = AsyncAdmin(server.admin_url, KEY, timeout=30)
    return [AsyncValidator(server.url, timeout=30), AsyncBatcher(admin, timeout=30)]


def test_requests_pass_with_their_user(server: Server) -> None:
    token = server.issue("alice").token
    for checker in checkers(server):
        with serving(checker) as port:
            response, body = get(port, {"Authorization": f"Bearer {token}"})
            assert (response.status, body) == (200, b"alice")
            assert get(port, {"Cookie": f"doorward={token}"})[1] == b"alice"
            response, _ = get(port, {})
            assert (response.status, response.headers["WWW-Authenticate"]) == (401, 'Bearer realm="doorward"')
            response, _ = get(port, {"Authorization": "Bearer no"})
            assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


def test_an_optional_user_may_be_nobody(server: Server) -> None:
    with serving(AsyncValidator(server.url, timeout=30), optional=True) as port:
        assert get(port, {})[1] == b"nobody"


def test_an_outage_is_503() -> None:
    for optional in (False, True):
        with serving(AsyncValidator("http://127.0.0.1:1"), optional=optional) as port:
            response, _ = get(port, {"Authorization": "Bearer x"})
            assert (response.status, response.headers["WWW-Authenticate"]) == (503, None)
            assert response.headers["Retry-After"] == "1"
            assert b" 503 " in upgrade(port, "x")


def upgrade(port: int, token: str) -> bytes:
    """Asks for a WebSocket; returns all that the server sends."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            + f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        received = b""
        while not received.startswith(b"HTTP/1.1 101") or b"alice" not in received:
            data = connection.recv(65536)
            if not data:
                break
            received += data
        return received


def test_a_websocket_is_refused_before_it_is_accepted(server: Server) -> None:
    token = server.issue("alice").token or ""
    with serving(AsyncValidator(server.url, timeout=30)) as port:
        assert upgrade(port, token).startswith(b"HTTP/1.1 101")
        refused = upgrade(port, "no")
        assert refused.startswith(b"HTTP/1.1 401") and b'error="invalid_token"' in refused


@pytest.mark.parametrize(("url", "code"), [(None, 1008), ("http://127.0.0.1:1", 1013)])
def test_a_websocket_is_closed_where_the_server_cannot_answer_it(server: Server, url: str | None, code: int) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    middleware = DoorwardMiddleware(Starlette(), AsyncValidator(url or server.url, timeout=30))
    asyncio.run(middleware({"type": "websocket", "headers": [], "scheme": "wss"}, receive, send))
    assert sent == [{"type": "websocket.close", "code": code}]
