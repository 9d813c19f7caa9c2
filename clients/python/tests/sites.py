"""The Django site of the tests, connected to a server."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.test import RequestFactory, override_settings

from doorward import django as doorward
from doorward.django.middleware import attach

from .servers import KEY, Server


class Site:
    """The Django site, connected to a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.user = self.create_user("alice")

    def create_user(self, name: str) -> Any:
        return get_user_model().objects.create_user(name, f"{name}@example.com", "secret")

    def configured(self, **further: Any) -> Any:
        urls = {"URL": self.server.url, "ADMIN_URL": self.server.admin_url}
        return override_settings(DOORWARD={**urls, "API_KEY": KEY, "TIMEOUT": 30, "ADMIN_TIMEOUT": 30, **further})

    def request(self, **meta: Any) -> Any:
        """A request that the middleware has seen."""
        request = RequestFactory().get("/", **meta)
        attach(request)
        return request

    def bearing(self, token: str | None) -> Any:
        return self.request(HTTP_AUTHORIZATION=f"Bearer {token}")

    def login(self, user: Any = None, **options: Any) -> Any:
        """A request that has just logged in."""
        request = self.request(HTTP_USER_AGENT="shop/1")
        doorward.login(request, user or self.user, **options)
        return request
