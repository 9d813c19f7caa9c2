"""The authentication class of Django REST framework, and an API as django-auth-token's users have it."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client, override_settings

from .sites import Site

UUID = "E621E1F8C36C495A93FC0C247A3E6E5F"


class Api:
    """A client of the API."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.headers: dict[str, str] = {}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return self.client.generic(
            method, path, "" if body is None else json.dumps(body), "application/json", headers=self.headers
        )

    def log_in(self, name: str = "alice") -> Any:
        response = self.call("POST", "/api/login/", {"username": name, "password": "secret"})
        assert response.status_code == 200
        self.headers = {"Authorization": f"Bearer {response.json()['token']}"}
        return response


def test_a_user_is_authenticated_by_the_header(site: Site) -> None:
    api = Api()
    response = api.call("GET", "/api/")
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, 'Bearer realm="doorward"')
    response = api.log_in()
    assert "doorward" not in response.cookies
    assert api.call("GET", "/api/").json() == {"user": "alice", "scopes": []}
    assert api.call("POST", "/api/", {}).status_code == 200
    [token] = site.server.admin().tokens(str(site.user.pk)).items
    assert (token.allowed_header, token.allowed_cookie) == (True, False)


def test_an_invalid_token_gets_401(site: Site) -> None:
    api = Api()
    api.headers = {"Authorization": "Bearer no"}
    response = api.call("GET", "/api/")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="doorward", error="invalid_token"'


def test_a_pending_token_gets_401(site: Site) -> None:
    api = Api()
    api.headers = {"Authorization": f"Bearer {site.login(two_factor_login=True).token.secret_key}"}
    assert api.call("GET", "/api/").status_code == 401


def test_a_user_is_logged_out_by_the_header(site: Site) -> None:
    api = Api()
    api.log_in()
    assert api.call("DELETE", "/api/login/").status_code == 204
    assert api.call("GET", "/api/").status_code == 401


def test_a_cookie_needs_the_csrf_token(site: Site) -> None:
    api = Api()
    api.client.cookies["doorward"] = site.login().token.secret_key
    assert api.call("GET", "/api/").status_code == 200
    assert api.call("POST", "/api/", {}).status_code == 403


def test_the_class_works_without_the_middleware(site: Site) -> None:
    api = Api()
    api.log_in()
    with override_settings(MIDDLEWARE=[]):
        assert api.call("GET", "/api/").json()["user"] == "alice"
        assert api.call("POST", "/api/", {}).status_code == 200
        api.client.cookies["doorward"] = site.login().token.secret_key
        api.headers = {}
        assert api.call("POST", "/api/", {}).status_code == 403


def test_an_outage_is_503(site: Site) -> None:
    api = Api()
    api.headers = {"Authorization": "Bearer x"}
    with site.configured(URL="http://127.0.0.1:1"), override_settings(MIDDLEWARE=[]):
        response = api.call("GET", "/api/")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")


def test_a_device_is_registered_once_and_logs_in(site: Site) -> None:
    api = Api()
    api.log_in()
    response = api.call("POST", "/api/register-device/", {"uuid": UUID})
    assert response.status_code == 200
    login_token = response.json()["device_login_token"]
    assert api.call("POST", "/api/register-device/", {"uuid": UUID}).status_code == 400
    device = Api()
    for uuid, wrong in [(UUID, "XXX"), ("other", login_token)]:
        refused = device.call("POST", "/api/device-login/", {"uuid": uuid, "login_device_token": wrong})
        assert refused.status_code == 403
    response = device.call("POST", "/api/device-login/", {"uuid": UUID, "login_device_token": login_token})
    assert response.status_code == 200 and "doorward" not in response.cookies
    device.headers = {"Authorization": f"Bearer {response.json()['token']}"}
    assert device.call("GET", "/api/").json()["user"] == "alice"


def test_many_users_register_the_same_device(site: Site) -> None:
    for number in range(5):
        name = f"user{number}"
        site.create_user(name)
        api = Api()
        api.log_in(name)
        assert api.call("POST", "/api/register-device/", {"uuid": UUID}).status_code == 200
        assert api.call("POST", "/api/register-device/", {"uuid": UUID}).status_code == 400
