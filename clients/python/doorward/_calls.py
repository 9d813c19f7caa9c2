"""The calls of the admin plane: what to send, and how to read the answer. `Admin` and `AsyncAdmin` send them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypedDict, TypeVar
from urllib.parse import quote, urlencode
from uuid import uuid4

from ._http import Request, Response
from ._request import is_sendable, outage
from .errors import Conflict, FieldError, InvalidFields, KeyRefused, LoginRefused, NotFound, Problem, Unavailable
from .models import Device, Json, Page, RelatedObject, Takeover, Token

T = TypeVar("T")

MAX_BATCH = 1000
MAX_BATCH_BYTES = 60_000
"""The tokens of a batch, as JSON. Doorward reads 64 KiB."""


class TokenFields(TypedDict, total=False):
    """What a login may say about its token, besides user and address. docs/api.md explains each."""

    user_agent: str
    auth_slug: str | None
    backend: str | None
    scopes: Sequence[str]
    expiration: bool
    idle_seconds: int
    lifetime_seconds: int
    allowed_cookie: bool
    allowed_header: bool
    is_authenticated: bool
    related_objects: Sequence[RelatedObject]
    set_cookie: bool


class TokenChanges(TypedDict, total=False):
    """What can be changed of a token."""

    auth_slug: str | None
    allowed_cookie: bool
    allowed_header: bool
    scopes: Sequence[str]
    idle_seconds: int
    lifetime_seconds: int


class DeviceChanges(TypedDict, total=False):
    """What can be changed of a device key."""

    name: str | None
    is_active: bool


@dataclass(frozen=True)
class Call(Generic[T]):
    """A call whose answer is a `T`."""

    method: str
    path: str
    read: Callable[[Json], T]
    body: Mapping[str, Any] | None = None
    is_repeatable: bool = True
    recover: Callable[[str], Call[T]] | None = None
    """Of a call with an `Idempotency-Key`, which is sent again if its answer may be lost.

    If the answer was lost, and a secret with it, this makes the call that gets another one. It takes the token's id.
    """

    def request(self, api_key: str) -> Request:
        headers = [("Authorization", f"Bearer {api_key}")]
        if self.recover is not None:
            headers.append(("Idempotency-Key", str(uuid4())))
        body = None
        if self.body is not None:
            headers.append(("Content-Type", "application/json"))
            body = json.dumps(self.body, separators=(",", ":")).encode()
        return Request(self.method, self.path, headers, body, self.is_repeatable, is_retried=self.recover is not None)

    def recovery(self, response: Response) -> Call[T] | None:
        """Returns the call to send if the secret was in an answer that was lost."""
        if self.recover is None or response.status != 409:
            return None
        data = _document(response)
        is_replay = _kind(data) == "idempotency-replay"
        return self.recover(str(data.get("token", ""))) if is_replay else None

    def answer(self, response: Response) -> T:
        """Reads the answer; raises Unavailable or the kind of Problem that it is."""
        if 200 <= response.status < 300:
            try:
                return self.read(json.loads(response.body) if response.body else {})
            except (ValueError, LookupError, TypeError, RuntimeError) as error:
                raise Unavailable("the answer is not doorward's: a member is missing or malformed") from error
        if response.status >= 500:
            raise outage(response)
        raise _problem(response)


def _document(response: Response) -> Json:
    """Returns the problem document, empty if the body is something else."""
    try:
        data = json.loads(response.body)
    except ValueError:
        data = {}
    return data if isinstance(data, dict) else {}


def _kind(data: Json) -> str:
    return str(data.get("type", "")).rpartition(":")[2]


def _problem(response: Response) -> Problem:
    data = _document(response)
    errors = [FieldError(each["pointer"], each["detail"]) for each in data.get("errors", ())]
    kind = _kind(data)
    kinds: dict[int, type[Problem]] = {
        401: KeyRefused,
        403: KeyRefused,
        404: NotFound,
        409: Conflict,
        422: InvalidFields,
    }
    raised = LoginRefused if kind == "login-refused" else kinds.get(response.status, Problem)
    return raised(
        response.status,
        kind,
        data.get("title", ""),
        data.get("detail", ""),
        errors,
        response.header("x-request-id"),
        data.get("token"),
    )


def _nothing(_: Json) -> None:
    return None


def _revoked(data: Json) -> int:
    return int(data["revoked"])


def _path(*segments: str) -> str:
    return "/v1/" + "/".join(quote(segment, safe="") for segment in segments)


def _paged(path: str, limit: int, cursor: str | None, **further: str) -> str:
    query = {"limit": str(limit), **further}
    if cursor is not None:
        query["cursor"] = cursor
    return f"{path}?{urlencode(query)}"


def _body(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as JSON has them."""
    body = dict(fields)
    if "related_objects" in body:
        pairs = body["related_objects"]
        body["related_objects"] = [{"content_type": each.content_type, "object_id": each.object_id} for each in pairs]
    if "scopes" in body:
        body["scopes"] = list(body["scopes"])
    return body


def issue(user: str, ip: str, fields: TokenFields) -> Call[Token]:
    body = {"user": user, "ip": ip, **_body(fields)}
    set_cookie = fields.get("set_cookie", False)
    return Call("POST", "/v1/tokens", Token.from_json, body, recover=lambda token_id: rotate(token_id, set_cookie))


def show(token_id: str) -> Call[Token]:
    return Call("GET", _path("tokens", token_id), Token.from_json)


def change(token_id: str, fields: TokenChanges) -> Call[Token]:
    return Call("PATCH", _path("tokens", token_id), Token.from_json, _body(fields))


def tokens(user: str, include_revoked: bool, limit: int, cursor: str | None) -> Call[Page[Token]]:
    include = {"include": "revoked"} if include_revoked else {}
    return _token_page(_paged(_path("users", user, "tokens"), limit, cursor, **include))


def _token_page(path: str) -> Call[Page[Token]]:
    return Call("GET", path, lambda data: Page.from_json(data, "tokens", Token.from_json))


def revoke(token_id: str) -> Call[None]:
    return Call("DELETE", _path("tokens", token_id), _nothing)


def revoke_all(user: str, except_id: str | None) -> Call[int]:
    query = "" if except_id is None else "?" + urlencode({"except": except_id})
    return Call("DELETE", _path("users", user, "tokens") + query, _revoked)


def rotate(token_id: str, set_cookie: bool) -> Call[Token]:
    path = _path("tokens", token_id, "rotate")
    body = {"set_cookie": set_cookie}
    return Call("POST", path, Token.from_json, body, recover=lambda same_id: rotate(same_id, set_cookie))


def confirm(token_id: str) -> Call[Token]:
    return Call("POST", _path("tokens", token_id, "confirm"), Token.from_json, is_repeatable=False)


def start_takeover(token_id: str, user: str, reason: str | None, seconds: int | None) -> Call[Takeover]:
    optional = {"reason": reason, "seconds": seconds}
    body = {"user": user, **{name: value for name, value in optional.items() if value is not None}}
    return Call("POST", _path("tokens", token_id, "takeover"), Takeover.from_json, body, is_repeatable=False)


def end_takeover(token_id: str) -> Call[None]:
    # A repeat would be a 404.
    return Call("DELETE", _path("tokens", token_id, "takeover"), _nothing, is_repeatable=False)


def _takeover_page(path: str) -> Call[Page[Takeover]]:
    return Call("GET", path, lambda data: Page.from_json(data, "takeovers", Takeover.from_json))


def token_takeovers(token_id: str, limit: int, cursor: str | None) -> Call[Page[Takeover]]:
    return _takeover_page(_paged(_path("tokens", token_id, "takeovers"), limit, cursor))


def user_takeovers(user: str, limit: int, cursor: str | None) -> Call[Page[Takeover]]:
    return _takeover_page(_paged(_path("users", user, "takeovers"), limit, cursor))


def create_device(user: str, uuid: str, name: str | None, user_agent: str) -> Call[Device]:
    body = {"uuid": uuid, "user_agent": user_agent, **({} if name is None else {"name": name})}
    path = _path("users", user, "devices")
    return Call("POST", path, Device.from_json, body, recover=lambda _: _new_secret(user, uuid))


def _new_secret(user: str, uuid: str) -> Call[Device]:
    """Rotates a device key whose creation got no answer."""
    return replace(rotate_device(user, uuid), read=lambda data: Device.from_json({**data, "created": True}))


def devices(user: str, limit: int, cursor: str | None) -> Call[Page[Device]]:
    path = _paged(_path("users", user, "devices"), limit, cursor)
    return Call("GET", path, lambda data: Page.from_json(data, "devices", Device.from_json))


def device(user: str, uuid: str) -> Call[Device]:
    return Call("GET", _path("users", user, "devices", uuid), Device.from_json)


def change_device(user: str, uuid: str, fields: DeviceChanges) -> Call[Device]:
    return Call("PATCH", _path("users", user, "devices", uuid), Device.from_json, dict(fields))


def rotate_device(user: str, uuid: str) -> Call[Device]:
    return Call("POST", _path("users", user, "devices", uuid, "rotate"), Device.from_json, is_repeatable=False)


def remove_device(user: str, uuid: str) -> Call[None]:
    # A repeat would be a 404.
    return Call("DELETE", _path("users", user, "devices", uuid), _nothing, is_repeatable=False)


def device_login(uuid: str, login_token: str, ip: str, fields: TokenFields) -> Call[Token]:
    body = {"uuid": uuid, "login_token": login_token, "ip": ip, **_body(fields)}
    return Call("POST", "/v1/devices/login", Token.from_json, body, is_repeatable=False)


def relate(token_id: str, related: RelatedObject) -> Call[None]:
    body = {"content_type": related.content_type, "object_id": related.object_id}
    return Call("POST", _path("tokens", token_id, "related"), _nothing, body)


def unrelate(token_id: str, related: RelatedObject) -> Call[None]:
    path = _path("tokens", token_id, "related", related.content_type, related.object_id)
    return Call("DELETE", path, _nothing)


def related_tokens(related: RelatedObject, limit: int, cursor: str | None) -> Call[Page[Token]]:
    path = _path("related", related.content_type, related.object_id, "tokens")
    return _token_page(_paged(path, limit, cursor))


def revoke_related(related: RelatedObject) -> Call[int]:
    return Call("DELETE", _path("related", related.content_type, related.object_id, "tokens"), _revoked)


def lock_user(user: str) -> Call[None]:
    return Call("PUT", _path("users", user, "lock"), _nothing)


def unlock_user(user: str) -> Call[None]:
    return Call("DELETE", _path("users", user, "lock"), _nothing)


def erase_user(user: str) -> Call[None]:
    return Call("DELETE", _path("users", user), _nothing)


def validate(token_strings: Sequence[str]) -> Call[list[Token | None]]:
    """Strings that cannot be tokens are not sent, so that one of them cannot spoil the batch."""
    sent = [token for token in token_strings if is_sendable(token)]

    def read(data: Json) -> list[Token | None]:
        results = iter(data["results"])
        told = (next(results) if is_sendable(token) else {"is_active": False} for token in token_strings)
        return [Token.from_json(each) if each["is_active"] else None for each in told]

    return Call("POST", "/v1/validate", read, {"tokens": sent})
