"""The token and the user of a request."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model, load_backend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.http import HttpRequest
from django.utils.module_loading import import_string

from .._request import ClientRequest, FoundToken, find_token
from ..errors import Unavailable
from ..models import Identity, Token
from ._settings import admin, checker, settings

User = AbstractBaseUser | AnonymousUser


@dataclass(frozen=True)
class RequestToken:
    """The token of a request. Without a valid token, it is anonymous, and every value is the default."""

    id: str | None = None
    actor: str | None = None
    """The user who logged in, as Doorward names them."""
    active_takeover: str | None = None
    """The user taken over, as Doorward names them."""
    backend: str | None = None
    auth_slug: str | None = None
    device: str | None = None
    scopes: tuple[str, ...] = ()
    time_to_expiration: timedelta = timedelta(0)
    is_authenticated: bool = False
    """Whether the token is valid and does not wait for its second factor."""
    is_from_header: bool = False
    is_from_cookie: bool = False
    secret_key: str | None = field(default=None, repr=False)
    """The token string."""

    @property
    def is_anonymous(self) -> bool:
        return self.id is None

    @property
    def is_active(self) -> bool:
        return self.id is not None

    @property
    def user(self) -> User:
        """The user who logged in, whatever takeover is under way."""
        return _load_user(self.actor, self.backend)

    def acting_as(self, name: str | None) -> RequestToken:
        """Returns the token as it is after the start or the end of a takeover."""
        return replace(self, active_takeover=name)

    @classmethod
    def from_identity(cls, identity: Identity, found: FoundToken | None) -> RequestToken:
        return cls(
            id=identity.token_id,
            actor=identity.actor,
            active_takeover=identity.user if identity.is_takeover else None,
            backend=identity.backend,
            auth_slug=identity.slug,
            device=identity.device,
            scopes=identity.scopes,
            time_to_expiration=timedelta(seconds=identity.expires_in),
            is_authenticated=True,
            is_from_header=identity.via == "header",
            is_from_cookie=identity.via == "cookie",
            secret_key=found.token if found else None,
        )

    @classmethod
    def from_token(cls, token: Token, found: FoundToken | None = None) -> RequestToken:
        return cls(
            id=token.id,
            actor=token.user,
            active_takeover=token.takeover.user if token.takeover else None,
            backend=token.backend,
            auth_slug=token.auth_slug,
            device=token.device,
            scopes=token.scopes,
            time_to_expiration=timedelta(seconds=token.time_to_expiration),
            is_authenticated=token.is_authenticated,
            is_from_header=found is not None and found.via == "header",
            is_from_cookie=found is not None and found.via == "cookie",
            secret_key=found.token if found else token.token,
        )


class DoorwardRequest(HttpRequest):
    """A request with what the middleware adds, for annotations."""

    token: RequestToken
    auth_token_renewal_exempt: bool
    _doorward_outage: Unavailable
    _doorward_cookies: list[str]
    _dont_enforce_csrf_checks: bool


def client_request(request: HttpRequest) -> ClientRequest:
    """What Doorward needs of a request."""
    headers = list(request.headers.items())
    name = settings().RENEWAL_EXEMPT_HEADER
    if name and name not in request.headers and getattr(request, "auth_token_renewal_exempt", False):
        headers.append((name, "1"))
    return ClientRequest(
        headers,
        method=request.method or "GET",
        scheme=request.scheme or "http",
        host=request.headers.get("Host"),
        client=_client_address(request),
    )


def _client_address(request: HttpRequest) -> str | None:
    path = settings().CLIENT_IP
    address = import_string(path)(request) if path else request.META.get("REMOTE_ADDR")
    return address or None


def client_ip(request: HttpRequest) -> str:
    """The client's address, which a new token needs."""
    address = _client_address(request)
    if address is None:
        raise ImproperlyConfigured(
            "REMOTE_ADDR is empty: let the server in front of Django set it, or set DOORWARD['CLIENT_IP']"
        )
    return address


def find(request: HttpRequest) -> FoundToken | None:
    """The token string of a request, unjudged."""
    return find_token(ClientRequest(list(request.headers.items())), settings().COOKIE_NAME)


def is_from_header(request: DoorwardRequest) -> bool:
    """Whether the token came in a header, which no other site can make a browser send. Then CSRF needs no check."""
    found = find(request)
    return (found is not None and found.via == "header") or request.token.is_from_header


def get_token(request: HttpRequest) -> RequestToken:
    """Asks Doorward for the token of a request; an anonymous one if it has no valid token.

    Raises Unavailable in an outage.
    """
    verdict = checker().check(client_request(request))
    if verdict.identity is not None:
        return RequestToken.from_identity(verdict.identity, find(request))
    if verdict.reason == "second-factor":
        return _pending(request)
    return RequestToken()


def _pending(request: HttpRequest) -> RequestToken:
    """The token that waits for its second factor. Doorward has judged its secret and found it right."""
    found = find(request)
    if found is None or not found.token.startswith("dw_"):
        return RequestToken()
    return RequestToken.from_token(admin().show(found.token[3:19]), found)


def get_user_from_token(token: RequestToken | None) -> User:
    """The user as whom a token acts; anonymous if it is anonymous or waits for its second factor."""
    if token is None or not token.is_authenticated:
        return AnonymousUser()
    taken_over = token.active_takeover if settings().TAKEOVER_ENABLED else None
    return _load_user(taken_over or token.actor, token.backend)


def get_user(request: HttpRequest) -> User:
    """The user of a request that the middleware has seen."""
    token: RequestToken = request.token  # type: ignore[attr-defined]
    return get_user_from_token(token)


def user_name(user: Any) -> str:
    """The name of a user in Doorward."""
    return str(getattr(user, settings().USER_FIELD))


def _load_user(name: str | None, backend_path: str | None) -> User:
    """Loads a user through the backend that authenticated them, as Django's sessions do.

    The user of a backend that is not in AUTHENTICATION_BACKENDS is anonymous.
    """
    if name is None:
        return AnonymousUser()
    paths = django_settings.AUTHENTICATION_BACKENDS
    if backend_path is None and len(paths) == 1:
        backend_path = paths[0]
    if backend_path not in paths:
        return AnonymousUser()
    field_name = settings().USER_FIELD
    try:
        key: Any = name
        if field_name != "pk":
            model = get_user_model()
            key = model._default_manager.filter(**{field_name: name}).values_list("pk", flat=True).first()
        user = None if key is None else load_backend(backend_path).get_user(key)
    except (ValueError, ValidationError):
        # Not a key of this user model.
        user = None
    return user or AnonymousUser()
