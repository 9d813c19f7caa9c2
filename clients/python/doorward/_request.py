"""The client's request: what Doorward needs of it, and how it is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote

from ._http import Headers, Request, Response, retry_after
from .errors import Unavailable
from .models import Identity, Verdict

READ_HEADERS = frozenset(
    ("authorization", "cookie", "origin", "sec-fetch-site", "traceparent", "tracestate", "x-request-id")
)
"""The headers of the client's request that Doorward reads, besides those about its address."""

MAX_TOKEN_CHARS = 1024
_SPACE = " \t\r\n\f"
_SENDABLE = re.compile(f"[!-~]{{1,{MAX_TOKEN_CHARS}}}")
INVALID_TOKEN = Verdict(401, headers=(("WWW-Authenticate", 'Bearer realm="doorward", error="invalid_token"'),))
NO_TOKEN = Verdict(401, headers=(("WWW-Authenticate", 'Bearer realm="doorward"'),))
ANONYMOUS = Verdict(200)


@dataclass(frozen=True)
class ClientRequest:
    """A client's request to the application.

    The address, scheme and host are those that the application itself sees, never what the client's own
    `X-Forwarded-…` headers say. Behind a proxy, let the server in front of the application set them: uvicorn's
    `--proxy-headers`, gunicorn's `--forwarded-allow-ips`.
    """

    headers: Headers = field(repr=False)
    """All headers; names in any case. They hold the token."""
    method: str = "GET"
    scheme: str = "http"
    host: str | None = None
    client: str | None = None
    """The client's IP address."""

    @classmethod
    def bearing(cls, token: str) -> ClientRequest:
        """A request with nothing but a token in its header."""
        return cls((("Authorization", f"Bearer {token}"),))

    def values(self, name: str) -> list[str]:
        """The values of all headers of that name, which is given in lower case."""
        return [value for key, value in self.headers if key.lower() == name]


def is_sendable(token: str) -> bool:
    """Whether a string could be a token: visible ASCII of a moderate length. Other strings need not be sent."""
    return _SENDABLE.fullmatch(token) is not None


def check_request(what: ClientRequest | str, optional: bool, check: str | None, further: Iterable[str]) -> Request:
    """Returns the question whether a request, or a bare token string, may pass."""
    if check is not None and optional:
        raise ValueError("a named check says itself, in Doorward's settings, whether it admits anonymous users")
    path = f"/check/{quote(check, safe='')}" if check is not None else "/auth-optional" if optional else "/auth"
    request = what if isinstance(what, ClientRequest) else ClientRequest.bearing(what if is_sendable(what) else "-")
    return _encode(request, "GET", path, further)


def logout_request(request: ClientRequest, further: Iterable[str]) -> Request:
    """Returns the demand to log a request out. After a takeover, a repeat would revoke the token."""
    return _encode(request, "POST", "/logout", further)


def _encode(request: ClientRequest, method: str, path: str, further: Iterable[str]) -> Request:
    names = READ_HEADERS.union(name.lower() for name in further)
    headers = [(name, value) for name, value in request.headers if name.lower() in names]
    if request.client:
        headers.append(("X-Forwarded-For", request.client))
    if request.host:
        headers += [("Host", request.host), ("X-Forwarded-Host", request.host)]
    headers += [("X-Forwarded-Proto", request.scheme), ("X-Forwarded-Method", request.method)]
    return Request(method, path, headers, is_repeatable=method == "GET")


def verdict(response: Response, optional: bool) -> Verdict:
    """Reads the validation plane's answer to a check."""
    if response.status == 200:
        identity = Identity.from_headers(dict(response.headers))
        # Some other server must not let everybody pass.
        if response.header("x-auth-user") is None or (identity is None and not optional):
            raise Unavailable("the answer is not doorward's: it names no user")
        return Verdict(200, identity)
    if response.status in (401, 403):
        names = ("WWW-Authenticate", "X-Auth-Reason")
        told = ((name, response.header(name.lower())) for name in names)
        return Verdict(response.status, headers=tuple((name, value) for name, value in told if value is not None))
    raise outage(response)


@dataclass(frozen=True)
class Logout:
    """What a logout did."""

    ended: str | None
    """`takeover` or `token`; `None` if the request had no valid token, or came from another site."""
    set_cookies: tuple[str, ...] = ()
    """Values of `Set-Cookie` headers for the client, which clear its cookie."""

    @classmethod
    def from_response(cls, response: Response) -> Logout:
        if response.status not in (200, 401, 403):
            raise outage(response)
        ended = json.loads(response.body)["ended"] if response.status == 200 else None
        return cls(ended, tuple(value for name, value in response.headers if name == "set-cookie"))


def outage(response: Response) -> Unavailable:
    """Every status that is no verdict. 404 is a check that Doorward does not know, so no request may pass."""
    return Unavailable(f"doorward answered with status {response.status}", retry_after(response))


@dataclass(frozen=True)
class FoundToken:
    """The token string of a request, and `header` or `cookie`."""

    token: str = field(repr=False)
    via: str


def find_token(request: ClientRequest, cookie_name: str) -> FoundToken | None:
    """Finds the token of a request by the rules of the validation plane.

    A Bearer header decides alone. An ambiguous request gets a token that is never valid.
    """
    lines = request.values("authorization")
    if len(lines) > 1:
        return FoundToken("", "header")
    scheme, _, token = lines[0].strip().partition(" ") if lines else ("", "", "")
    if scheme.lower() == "bearer":
        return FoundToken(token.strip(), "header")
    cookies = set()
    for line in request.values("cookie"):
        for pair in line.split(";"):
            name, equals, value = pair.strip(_SPACE).partition("=")
            if name == cookie_name and equals:
                is_quoted = len(value) >= 2 and value[0] == value[-1] == '"'
                cookies.add(value[1:-1] if is_quoted else value)
    if len(cookies) > 1:
        return FoundToken("", "cookie")
    return FoundToken(cookies.pop(), "cookie") if cookies - {""} else None
