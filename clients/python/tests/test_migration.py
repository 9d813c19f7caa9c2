"""Sessions that were imported from django-auth-token go on in the Django site."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.utils.crypto import salted_hmac

from doorward import django as doorward
from doorward._http import Request

from .servers import Server
from .sites import Site

KEY_IN_COOKIE, KEY_IN_HEADER = "cookieKEY0" * 4, "headerKEY0" * 4


def stored_by_the_package(key: str) -> str:
    """`hash_key` of auth_token.utils, with the default HASH_SALT."""
    return salted_hmac("django.auth.token", key, secret=f"|{settings.SECRET_KEY}", algorithm="sha256").hexdigest()


@pytest.fixture
def moved(site: Site, tmp_path: Path) -> Iterator[Site]:
    """The site after the move, with two sessions of alice."""
    (tmp_path / "secret").write_text(settings.SECRET_KEY)
    form = f"old:scheme=django-auth-token+cookie=Authorization+header-scheme=Bearer+secret-file={tmp_path}/secret"
    with Server(foreign=form) as server:
        site.server = server
        backend = settings.AUTHENTICATION_BACKENDS[0]
        owner = {"scheme": "django-auth-token", "user": str(site.user.pk), "backend": backend, "expiration": True}
        records = [{**owner, "digest": stored_by_the_package(key)} for key in (KEY_IN_COOKIE, KEY_IN_HEADER)]
        admin = server.admin()
        headers = [("Authorization", f"Bearer {admin._api_key}"), ("Content-Type", "application/json")]
        answer = admin._transport.send(Request("POST", "/v1/import", headers, json.dumps({"tokens": records}).encode()))
        assert [each["status"] for each in json.loads(answer.body)["results"]] == ["imported", "imported"]
        with site.configured():
            yield site


def test_an_imported_session_goes_on(moved: Site) -> None:
    by_cookie = moved.request(HTTP_COOKIE=f"Authorization={KEY_IN_COOKIE}")
    assert by_cookie.user == moved.user and by_cookie.token.is_from_cookie
    by_header = moved.bearing(KEY_IN_HEADER)
    assert by_header.user == moved.user and by_header.token.is_from_header
    assert doorward.admin().show(by_cookie.token.id).origin == "django-auth-token"
    assert isinstance(moved.bearing("unknownKEY" * 4).user, AnonymousUser)


def test_an_imported_cookie_needs_the_csrf_token(moved: Site) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/", headers={"Authorization": f"Bearer {KEY_IN_HEADER}"}).status_code == 200
    client.cookies["Authorization"] = KEY_IN_COOKIE
    assert client.post("/").status_code == 403


def test_a_logout_ends_an_imported_session_and_clears_its_cookie(moved: Site) -> None:
    client = Client()
    client.cookies["Authorization"] = KEY_IN_COOKIE
    assert client.get("/").json()["user"] == "alice"
    response = client.post("/logout/")
    assert (response.content, response.cookies["Authorization"].value) == (b"token", "")
    client.cookies["Authorization"] = KEY_IN_COOKIE
    assert client.get("/").content == b"login"


def test_an_imported_session_takes_over_and_returns(moved: Site) -> None:
    bob = moved.create_user("bob")
    assert doorward.takeover(moved.bearing(KEY_IN_HEADER), bob)
    request = moved.bearing(KEY_IN_HEADER)
    assert request.user == bob
    assert doorward.logout(request) == "takeover"
    assert moved.bearing(KEY_IN_HEADER).user == moved.user
