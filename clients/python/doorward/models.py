"""What Doorward answers, as frozen dataclasses. Members that this version does not know are ignored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import unquote

T = TypeVar("T")
Json = Mapping[str, Any]


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _time_of(data: Json, name: str) -> datetime:
    return datetime.fromisoformat(data[name])


@dataclass(frozen=True)
class Identity:
    """The user of a request, as Doorward's identity headers name it. A value that does not exist is `None`."""

    user: str
    """The user as whom the request acts: during a takeover, the user taken over."""
    actor: str
    """The user who logged in."""
    token_id: str
    slug: str | None = None
    backend: str | None = None
    device: str | None = None
    expires_in: int = 0
    """Whole seconds until the token expires, or until the takeover ends if that comes first."""
    scopes: tuple[str, ...] = ()
    via: str | None = None
    """`header` or `cookie`."""

    @property
    def is_takeover(self) -> bool:
        """Whether the actor acts as another user."""
        return self.user != self.actor

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Identity | None:
        """Reads the identity headers of a request that a proxy checked, or of Doorward's answer.

        `headers` is a mapping that ignores the case of names, such as Django's `request.headers`, or has names in lower
        case. Returns `None` for the anonymous user. Use it only where no client can send these headers itself.
        """

        def value(name: str) -> str | None:
            text = headers.get(f"x-auth-{name}", "-")
            return None if text in ("", "-") else unquote(text)

        user, token_id = value("user"), value("token-id")
        if user is None or token_id is None:
            return None
        expires_in = value("expires-in") or "0"
        return cls(
            user=user,
            actor=value("actor") or user,
            token_id=token_id,
            slug=value("slug"),
            backend=value("backend"),
            device=value("device"),
            expires_in=int(expires_in) if expires_in.isdecimal() else 0,
            scopes=tuple((value("scopes") or "").split()),
            via=value("via"),
        )


@dataclass(frozen=True)
class Verdict:
    """Whether a request may pass. An outage is not a verdict, but the error `Unavailable`."""

    status: int
    """200, 401 or 403: the status for the client if the request may not pass."""
    identity: Identity | None = None
    """The user, or `None` for an anonymous one, which only an optional check lets pass."""
    headers: tuple[tuple[str, str], ...] = ()
    """The headers of a refusal: `WWW-Authenticate` or `X-Auth-Reason`."""

    @property
    def allowed(self) -> bool:
        return self.status == 200

    @property
    def reason(self) -> str | None:
        """Why a valid token was refused: `second-factor`, `check` or `cross-site`."""
        return dict(self.headers).get("X-Auth-Reason")


@dataclass(frozen=True)
class RelatedObject:
    """An object of the application that tokens belong to."""

    content_type: str
    object_id: str


@dataclass(frozen=True)
class Takeover:
    """A token acts as another user."""

    id: str
    token: str
    actor: str
    user: str
    reason: str | None
    is_active: bool
    created_at: datetime
    ends_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def from_json(cls, data: Json) -> Takeover:
        return cls(
            id=data["id"],
            token=data["token"],
            actor=data["actor"],
            user=data["user"],
            reason=data.get("reason"),
            is_active=data["is_active"],
            created_at=_time_of(data, "created_at"),
            ends_at=_time(data.get("ends_at")),
            ended_at=_time(data.get("ended_at")),
        )


@dataclass(frozen=True)
class Token:
    """A token without its secret."""

    id: str
    user: str
    created_at: datetime
    last_access: datetime
    expires_at: datetime
    ends_at: datetime | None
    is_active: bool
    is_authenticated: bool
    """Whether the token does not wait for its second factor."""
    user_agent: str
    expiration: bool
    ip: str
    auth_slug: str | None
    backend: str | None
    scopes: tuple[str, ...]
    allowed_cookie: bool
    allowed_header: bool
    related_objects: tuple[RelatedObject, ...]
    takeover: Takeover | None
    device: str | None
    revoked_at: datetime | None
    revoked_reason: str | None
    locked: bool
    """Whether the user is locked: the token is refused until the unlock."""
    origin: str | None
    """The scheme of the system that the token was imported from."""
    token: str | None = field(default=None, repr=False)
    """The token string: the secret. Only an issue, a device login and a rotation give it."""
    set_cookie: str | None = field(default=None, repr=False)
    """The ready value of a `Set-Cookie` header, if it was asked for."""

    @classmethod
    def from_json(cls, data: Json) -> Token:
        takeover = data.get("takeover")
        related = data.get("related_objects", ())
        return cls(
            id=data["id"],
            user=data["user"],
            created_at=_time_of(data, "created_at"),
            last_access=_time_of(data, "last_access"),
            expires_at=_time_of(data, "expires_at"),
            ends_at=_time(data.get("ends_at")),
            is_active=data["is_active"],
            is_authenticated=data.get("is_authenticated", True),
            user_agent=data.get("user_agent", ""),
            expiration=data.get("expiration", True),
            ip=data.get("ip", ""),
            auth_slug=data.get("auth_slug"),
            backend=data.get("backend"),
            scopes=tuple(data.get("scopes", ())),
            allowed_cookie=data.get("allowed_cookie", True),
            allowed_header=data.get("allowed_header", True),
            related_objects=tuple(RelatedObject(each["content_type"], each["object_id"]) for each in related),
            takeover=None if takeover is None else Takeover.from_json(takeover),
            device=data.get("device"),
            revoked_at=_time(data.get("revoked_at")),
            revoked_reason=data.get("revoked_reason"),
            locked=data.get("locked", False),
            origin=data.get("origin"),
            token=data.get("token"),
            set_cookie=data.get("set_cookie"),
        )

    @property
    def time_to_expiration(self) -> int:
        """Whole seconds until the token expires, or until the takeover ends if that comes first; at least 0."""
        ends = [self.expires_at]
        if self.takeover is not None and self.takeover.ends_at is not None:
            ends.append(self.takeover.ends_at)
        return max(0, int((min(ends) - datetime.now(UTC)).total_seconds()))

    def identity(self, via: str | None = None) -> Identity:
        """The identity of a request that carries the token."""
        return Identity(
            user=self.user if self.takeover is None else self.takeover.user,
            actor=self.user,
            token_id=self.id,
            slug=self.auth_slug,
            backend=self.backend,
            device=self.device,
            expires_in=self.time_to_expiration,
            scopes=self.scopes,
            via=via,
        )


@dataclass(frozen=True)
class Device:
    """A device key, by which a device logs its user in."""

    uuid: str
    user: str
    name: str | None
    created_at: datetime
    last_login: datetime | None
    is_active: bool
    user_agent: str
    origin: str | None = None
    """The scheme of the system that the key was imported from."""
    created: bool | None = None
    """After a creation: whether the key is new."""
    login_token: str | None = field(default=None, repr=False)
    """The secret of a new key. It is shown once."""

    @classmethod
    def from_json(cls, data: Json) -> Device:
        return cls(
            uuid=data["uuid"],
            user=data["user"],
            name=data.get("name"),
            created_at=_time_of(data, "created_at"),
            last_login=_time(data.get("last_login")),
            is_active=data["is_active"],
            user_agent=data.get("user_agent", ""),
            origin=data.get("origin"),
            created=data.get("created"),
            login_token=data.get("login_token"),
        )


@dataclass(frozen=True)
class Page(Generic[T]):
    """A page of a listing, newest first."""

    items: tuple[T, ...]
    next_cursor: str | None
    """The `cursor` of the next page, or `None` for the last one."""

    @classmethod
    def from_json(cls, data: Json, name: str, item: Callable[[Json], T]) -> Page[T]:
        return cls(tuple(item(each) for each in data[name]), data.get("next_cursor"))
