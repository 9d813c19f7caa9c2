"""The Django middleware while Doorward is away, and without need of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.test import AsyncClient, Client, override_settings

from doorward import Unavailable
from doorward import django as doorward

from .servers import on_unix_sockets
from .sites import Site


def test_a_token_that_nobody_uses_is_not_asked_for(site: Site) -> None:
    with site.configured(URL="http://127.0.0.1:1"):
        response = Client().get("/public/", headers={"Authorization": "Bearer x"})
        assert (response.status_code, response.content) == (200, b"public")


LOGIN_REQUIRED = [
    "doorward.django.DoorwardMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
]


def test_an_outage_is_503_wherever_the_user_is_needed(site: Site) -> None:
    headers = {"Authorization": "Bearer x"}
    with site.configured(URL="http://127.0.0.1:1"):
        # Django's client raises the errors that other middlewares let through, unless it is told not to.
        client = Client(raise_request_exception=False, enforce_csrf_checks=True)
        asynchronous = AsyncClient(raise_request_exception=False)
        with override_settings(MIDDLEWARE=LOGIN_REQUIRED):
            responses: list[Any] = [Client(raise_request_exception=False).get("/", headers=headers)]
        responses += [client.get(path, headers=headers) for path in ("/", "/api/", "/template/")]
        responses.append(client.post("/", headers={"Cookie": "doorward=x"}))
        responses.append(asyncio.run(asynchronous.get("/async/", headers=headers)))
        with site.configured(URL="http://127.0.0.1:1", EXPIRATION_HEADER="X-Expiration"):
            responses.append(client.get("/", headers=headers))
            assert client.get("/public/", headers=headers).status_code == 200
        for response in responses:
            assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
            assert not response.cookies


def test_a_view_may_do_without_a_user(site: Site) -> None:
    headers = {"Authorization": f"Bearer {site.login().token.secret_key}"}
    assert Client().get("/degraded/", headers=headers).content == b"alice"
    assert Client().get("/template/", headers=headers).content == b"member"
    assert Client().get("/template/").content == b"guest"
    with site.configured(URL="http://127.0.0.1:1"):
        assert Client().get("/degraded/", headers=headers).content == b"unknown"


def test_the_site_recovers_from_an_outage(site: Site) -> None:
    with on_unix_sockets() as server:
        site.server = server
        with site.configured():
            secret = site.login().token.secret_key
            headers = {"Authorization": f"Bearer {secret}"}
            assert Client().get("/", headers=headers).status_code == 200
            server.kill()
            assert Client().get("/", headers=headers).status_code == 503
            assert Client().get("/api/", headers=headers).status_code == 503
            with pytest.raises(Unavailable):
                doorward.logout(site.bearing(secret))
            with pytest.raises(Unavailable):
                site.login()
            server.start()
            secret = site.login().token.secret_key
            assert Client().get("/", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
