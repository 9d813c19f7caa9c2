"""Logging in and out, takeovers, device keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from django.conf import settings as django_settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest
from django.middleware.csrf import rotate_token
from django.utils.module_loading import import_string

from .._calls import TokenFields
from .._request import ClientRequest
from ..errors import LoginRefused, NotFound
from ..models import RelatedObject, Token
from ._settings import admin, settings, validator
from .tokens import (
    DoorwardRequest,
    RequestToken,
    client_ip,
    client_request,
    get_user_from_token,
    user_name,
)


class DeviceAlreadyExists(Exception):
    """The user has an active device key with this uuid."""


def login(
    request: HttpRequest,
    user: AbstractBaseUser,
    auth_slug: str | None = None,
    related_objs: Iterable[Model] = (),
    backend: str | None = None,
    allowed_cookie: bool = True,
    allowed_header: bool = True,
    two_factor_login: bool = False,
    expiration: int | None = None,
    permanent: bool = False,
    scopes: Sequence[str] = (),
) -> RequestToken:
    """Issues a token to a user who has proved who they are, and puts it into `request.token`.

    If cookies may carry the token, the response sets it. `expiration` is the idle time in seconds. With `permanent`,
    the cookie outlives the browser and the token lives for Doorward's `max-token-age` without access. With
    `two_factor_login`, the token opens nothing until `authorize_login`.
    """
    backend = backend or getattr(user, "backend", None)
    if backend is None:
        if len(django_settings.AUTHENTICATION_BACKENDS) != 1:
            raise ValueError("with several AUTHENTICATION_BACKENDS, name the one that authenticated the user: backend")
        backend = django_settings.AUTHENTICATION_BACKENDS[0]
    if expiration is None and (path := settings().AGE_CALLBACK):
        expiration = import_string(path)(request, user, auth_slug)
    fields = _fields(request, allowed_cookie, allowed_header, auth_slug, expiration, permanent)
    fields["backend"] = backend
    fields["scopes"] = scopes
    fields["is_authenticated"] = not two_factor_login
    fields["related_objects"] = [related_object(each) for each in related_objs]
    return _begin(request, admin().issue(user_name(user), client_ip(request), **fields), user)


def _fields(
    request: HttpRequest,
    allowed_cookie: bool,
    allowed_header: bool,
    auth_slug: str | None,
    expiration: int | None,
    permanent: bool,
) -> TokenFields:
    fields = TokenFields(
        user_agent=request.headers.get("User-Agent", ""),
        auth_slug=auth_slug,
        allowed_cookie=allowed_cookie,
        allowed_header=allowed_header,
        set_cookie=allowed_cookie,
        expiration=not permanent,
    )
    if expiration is not None:
        fields["idle_seconds"] = expiration
    return fields


def _begin(request: HttpRequest, token: Token, user: AbstractBaseUser | None = None) -> RequestToken:
    """Makes a new token the request's own."""
    ours = cast(DoorwardRequest, request)
    ours.token = RequestToken.from_token(token)
    if token.set_cookie is not None:
        cookies(request).append(token.set_cookie)
    if token.is_authenticated:
        loaded = user or get_user_from_token(ours.token)
        set_user(request, loaded)
        user_logged_in.send(sender=loaded.__class__, request=request, user=loaded)
    rotate_token(request)
    return ours.token


def authorize_login(authorization_token: RequestToken, request: HttpRequest | None = None) -> None:
    """Confirms the second factor of a token. If it is the request's own, its user is logged in from now on."""
    if authorization_token.id is None or authorization_token.is_authenticated:
        return
    confirmed = RequestToken.from_token(admin().confirm(authorization_token.id))
    user = get_user_from_token(confirmed)
    ours = cast(DoorwardRequest | None, request)
    if ours is not None and ours.token.id == confirmed.id:
        ours.token = confirmed
        set_user(ours, user)
    user_logged_in.send(sender=user.__class__, request=request, user=user)


def logout(request: HttpRequest) -> str | None:
    """Ends the takeover if there is one, and revokes the token otherwise; returns `takeover`, `token` or `None`.

    Raises Unavailable in an outage. Then it is unknown whether the user is logged out.
    """
    ours = cast(DoorwardRequest, request)
    user, token = getattr(request, "user", None), getattr(ours, "token", None)
    # Both are lazy, and the user is the token's: load it before the token is gone.
    signalled = user if user is not None and user.is_authenticated else None
    ended = None if token is None else _end(ours, token)
    user_logged_out.send(sender=signalled.__class__, request=request, user=signalled)
    if hasattr(request, "session"):
        request.session.flush()
    set_user(request, token.user if token is not None and ended == "takeover" else AnonymousUser())
    return ended


def _end(request: DoorwardRequest, token: RequestToken) -> str | None:
    if token.id is None:
        _clear_cookie(request)
        return None
    if token.is_authenticated and (token.is_from_header or token.is_from_cookie):
        done = validator().logout(_without_origin(client_request(request)))
        cookies(request).extend(done.set_cookies)
        ended = done.ended
    else:
        # Issued in this request, or it waits for its second factor: the holder cannot log out by it.
        cookies(request).clear()
        ended = _end_by_name(token)
        if ended == "token":
            _clear_cookie(request)
    request.token = token.acting_as(None) if ended == "takeover" else RequestToken()
    return ended


def _clear_cookie(request: DoorwardRequest) -> None:
    """Clears a cookie that is not valid any more: the browser would send it for ever."""
    if request.COOKIES:
        cookies(request).extend(validator().logout(_without_origin(client_request(request))).set_cookies)


def _end_by_name(token: RequestToken) -> str:
    assert token.id is not None
    if token.active_takeover is not None:
        admin().end_takeover(token.id)
        return "takeover"
    admin().revoke(token.id)
    return "token"


def _without_origin(request: ClientRequest) -> ClientRequest:
    """The view has judged by Django's CSRF protection whether another site caused the request."""
    kept = tuple((name, value) for name, value in request.headers if name.lower() not in ("origin", "sec-fetch-site"))
    return ClientRequest(kept, request.method, request.scheme, request.host, request.client)


def takeover(
    request: HttpRequest, user: AbstractBaseUser, *, reason: str | None = None, seconds: int | None = None
) -> bool:
    """Lets the request's user act as another one; returns whether a takeover was performed.

    The user who logged in may return to their own: this ends the takeover.
    """
    ours = cast(DoorwardRequest, request)
    token, current = ours.token, getattr(request, "user", None)
    if not settings().TAKEOVER_ENABLED or current is None or not current.is_authenticated or current == user:
        return False
    assert token.id is not None
    name = user_name(user)
    if name == token.actor:
        try:
            admin().end_takeover(token.id)
        except NotFound:
            return False
        ours.token = token.acting_as(None)
    else:
        admin().start_takeover(token.id, name, reason=reason, seconds=seconds)
        ours.token = token.acting_as(name)
    set_user(request, user)
    return True


def register_device(user: AbstractBaseUser, uuid: str, *, name: str | None = None, user_agent: str = "") -> str:
    """Makes a device key and returns its login token, which is shown only now.

    An inactive key with this uuid is replaced. Raises DeviceAlreadyExists for an active one.
    """
    owner = user_name(user)
    device = admin().create_device(owner, uuid, name=name, user_agent=user_agent)
    if device.login_token is None and not device.is_active:
        admin().remove_device(owner, uuid)
        device = admin().create_device(owner, uuid, name=name, user_agent=user_agent)
    if device.login_token is None:
        raise DeviceAlreadyExists(uuid)
    return device.login_token


def device_login(
    request: HttpRequest,
    uuid: str,
    login_token: str,
    *,
    auth_slug: str | None = None,
    backend: str | None = None,
    allowed_cookie: bool = False,
    allowed_header: bool = True,
    expiration: int | None = None,
    permanent: bool = False,
) -> RequestToken:
    """Logs a device's user in by its device key. Raises PermissionDenied if no active key fits."""
    fields = _fields(request, allowed_cookie, allowed_header, auth_slug, expiration, permanent)
    fields["backend"] = backend or django_settings.AUTHENTICATION_BACKENDS[0]
    try:
        token = admin().device_login(uuid, login_token, client_ip(request), **fields)
    except LoginRefused as error:
        raise PermissionDenied("no active device key has this uuid and this login token") from error
    # A user who is gone or inactive must not keep the token.
    if not get_user_from_token(RequestToken.from_token(token)).is_authenticated:
        admin().revoke(token.id)
        raise PermissionDenied("the user of the device key is not active")
    return _begin(request, token)


def related_object(instance: Model) -> RelatedObject:
    """The name of a model instance in Doorward: `app.model` and its primary key."""
    return RelatedObject(instance._meta.label_lower, str(instance.pk))


def set_user(request: HttpRequest, user: Any) -> None:
    request.user = user

    async def auser() -> Any:
        return user

    request.auser = auser


def cookies(request: HttpRequest) -> list[str]:
    """The values of `Set-Cookie` for the response."""
    ours = cast(DoorwardRequest, request)
    if not hasattr(ours, "_doorward_cookies"):
        ours._doorward_cookies = []
    return ours._doorward_cookies
