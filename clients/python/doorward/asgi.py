"""ASGI middleware for Starlette, FastAPI and others: HTTP requests and WebSockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ._answers import outage, refusal
from ._request import ClientRequest
from .aio import AsyncChecker
from .errors import Unavailable

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

IDENTITY = "doorward.identity"
"""The key of the `Identity` in the scope; `None` for an anonymous user."""

TRY_AGAIN_LATER = 1013
POLICY_VIOLATION = 1008


class DoorwardMiddleware:
    """Puts the user's `Identity` into `scope["doorward.identity"]`.

    A request without a valid token gets 401, and one during an outage 503. With `optional`, a request without a valid
    token passes, and the identity is `None`. A WebSocket is refused before it is accepted.
    """

    def __init__(self, app: App, checker: AsyncChecker, *, optional: bool = False) -> None:
        self._app = app
        self._checker = checker
        self._optional = optional

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            verdict = await self._checker.check(client_request(scope), optional=self._optional)
        except Unavailable as error:
            status, headers = outage(error)
        else:
            if verdict.allowed:
                scope[IDENTITY] = verdict.identity
                await self._app(scope, receive, send)
                return
            status, headers = refusal(verdict)
        await _refuse(scope, receive, send, status, headers)


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, headers: list[tuple[str, str]]) -> None:
    kind = "http"
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            # The server answers the handshake with 403.
            code = TRY_AGAIN_LATER if status == 503 else POLICY_VIOLATION
            await send({"type": "websocket.close", "code": code})
            return
        kind = "websocket.http"
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": f"{kind}.response.start", "status": status, "headers": encoded})
    await send({"type": f"{kind}.response.body", "body": b""})


def client_request(scope: Scope) -> ClientRequest:
    """The request of an ASGI scope."""
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    scheme: str = scope.get("scheme", "http")
    client = scope.get("client")
    return ClientRequest(
        headers,
        method=scope.get("method", "GET"),
        scheme={"ws": "http", "wss": "https"}.get(scheme, scheme),
        host=next((value for name, value in headers if name.lower() == "host"), None),
        client=client[0] if client else None,
    )
