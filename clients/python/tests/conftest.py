"""The server of each test, and both kinds of clients behind one interface."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from typing import Any

import django
import pytest

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.site.settings"
django.setup()

from django.contrib.auth import get_user_model
from django.core.management import call_command

from doorward import Admin, AsyncAdmin, AsyncBatcher, AsyncValidator, Batcher, Validator

from .servers import KEY, Server
from .sites import Site


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own, on the embedded store."""
    with Server(renewal_exempt_header="X-Authorization-Renewal-Exempt", trusted_proxies="127.0.0.1") as running:
        yield running


class Blocking:
    """An async client, called like a sync one."""

    def __init__(self, client: Any, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *args, **kwargs: self._runner.run(method(*args, **kwargs))


class Kind:
    """Makes the clients of one kind: `sync` or `async`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.runner = asyncio.Runner()

    def _wrap(self, client: Any) -> Any:
        return client if self.name == "sync" else Blocking(client, self.runner)

    def validator(self, url: str, **settings: Any) -> Any:
        make = Validator if self.name == "sync" else AsyncValidator
        return self._wrap(make(url, **{"timeout": 30, **settings}))

    def admin(self, url: str, **settings: Any) -> Any:
        make = Admin if self.name == "sync" else AsyncAdmin
        return self._wrap(make(url, KEY, **{"timeout": 30, **settings}))

    def batcher(self, url: str, **settings: Any) -> Any:
        if self.name == "sync":
            return Batcher(Admin(url, KEY, timeout=30), **{"timeout": 30, **settings})
        return self._wrap(AsyncBatcher(AsyncAdmin(url, KEY, timeout=30), **{"timeout": 30, **settings}))


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    made = Kind(request.param)
    with made.runner:
        yield made


@pytest.fixture(scope="session")
def database() -> None:
    call_command("migrate", verbosity=0)


@pytest.fixture
def site(server: Server, database: None) -> Iterator[Site]:
    """The Django site, with one user."""
    get_user_model().objects.all().delete()
    made = Site(server)
    with made.configured():
        yield made
