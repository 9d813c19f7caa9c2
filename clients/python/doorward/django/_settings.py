"""The setting `DOORWARD`, a dict, and the clients that it configures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver

from ..batching import Batcher
from ..client import Admin, Checker, Validator


@dataclass(frozen=True)
class Settings:
    """The keys of `DOORWARD`, with their defaults."""

    URL: str = "http://127.0.0.1:8080"
    """The validation plane: `http://host:port`, `https://host:port` or `unix:/path`."""
    ADMIN_URL: str = "http://127.0.0.1:8081"
    """The admin plane."""
    API_KEY: str = ""
    """A key of the admin plane, with the scopes `tokens`, `takeovers` and `devices` as far as they are used."""
    TIMEOUT: float = 1.0
    """Seconds that a check may take."""
    ADMIN_TIMEOUT: float = 5.0
    """Seconds that a login or another call of the admin plane may take."""
    BATCH: bool = False
    """Whether to check tokens in batches, on the admin plane. The key then needs the scope `introspect`."""
    COOKIE_NAME: str = "doorward"
    """Doorward's `cookie-name`."""
    FORWARD_HEADERS: Sequence[str] = ()
    """Further headers of a request that Doorward reads."""
    USER_FIELD: str = "pk"
    """The field of the user model whose value is the token's user."""
    CLIENT_IP: str | None = None
    """Dotted path of a function of the request that returns the client's address. Default: `REMOTE_ADDR`."""
    AGE_CALLBACK: str | None = None
    """Dotted path of a function of request, user and auth_slug that returns a new token's idle time in seconds."""
    TAKEOVER_ENABLED: bool = True
    """Whether `takeover` works, and whether a takeover under way changes `request.user`."""
    RENEWAL_EXEMPT_HEADER: str | None = None
    """Doorward's `renewal-exempt-header`."""
    EXPIRATION_HEADER: str | None = None
    """A header for each answer with the time until the token expires. If set, each request asks Doorward."""


@cache
def settings() -> Settings:
    given: dict[str, Any] = getattr(django_settings, "DOORWARD", {})
    unknown = given.keys() - {each.name for each in fields(Settings)}
    if unknown:
        raise ImproperlyConfigured(f"DOORWARD has unknown keys: {', '.join(sorted(unknown))}")
    return Settings(**given)


@cache
def admin() -> Admin:
    """The configured client of the admin plane."""
    return Admin(settings().ADMIN_URL, settings().API_KEY, timeout=settings().ADMIN_TIMEOUT)


@cache
def validator() -> Validator:
    exempt = settings().RENEWAL_EXEMPT_HEADER
    forward = [*settings().FORWARD_HEADERS, *([exempt] if exempt else [])]
    return Validator(settings().URL, timeout=settings().TIMEOUT, forward_headers=forward)


@cache
def checker() -> Checker:
    if not settings().BATCH:
        return validator()
    return Batcher(admin(), timeout=settings().TIMEOUT, cookie_name=settings().COOKIE_NAME)


@receiver(setting_changed)
def _forget(*, setting: str, **_: Any) -> None:
    if setting == "DOORWARD":
        for cached in (settings, admin, validator, checker):
            cached.cache_clear()
