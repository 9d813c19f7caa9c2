"""WSGI middleware: lets requests pass that Doorward lets pass, and says whose they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ._answers import PHRASES, outage, refusal
from ._request import ClientRequest
from .client import Checker
from .errors import Unavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

IDENTITY = "doorward.identity"
"""The key of the `Identity` in the environ; `None` for an anonymous user."""


class DoorwardMiddleware:
    """Puts the user's `Identity` into `environ["doorward.identity"]`.

    A request without a valid token gets 401, and one during an outage 503. With `optional`, a request without a valid
    token passes, and the identity is `None`.
    """

    def __init__(self, app: WSGIApplication, checker: Checker, *, optional: bool = False) -> None:
        self._app = app
        self._checker = checker
        self._optional = optional

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            verdict = self._checker.check(client_request(environ), optional=self._optional)
        except Unavailable as error:
            status, headers = outage(error)
        else:
            if verdict.allowed:
                environ[IDENTITY] = verdict.identity
                return self._app(environ, start_response)
            status, headers = refusal(verdict)
        start_response(f"{status} {PHRASES[status]}", headers)
        return [b""]


def client_request(environ: WSGIEnvironment) -> ClientRequest:
    """The request of a WSGI environ."""
    headers = tuple(
        (name.removeprefix("HTTP_").replace("_", "-").lower(), value)
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    )
    return ClientRequest(
        headers,
        method=environ.get("REQUEST_METHOD", "GET"),
        scheme=environ.get("wsgi.url_scheme", "http"),
        host=environ.get("HTTP_HOST"),
        client=environ.get("REMOTE_ADDR") or None,
    )
