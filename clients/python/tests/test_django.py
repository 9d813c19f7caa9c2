"""The Django middleware and its functions, on a real Django with a real Doorward."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.exceptions import ImproperlyConfigured
from django.test import AsyncClient, Client, RequestFactory, override_settings

from doorward import RelatedObject
from doorward import django as doorward

from .servers import Server, wait_until
from .sites import Site

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


def test_login_issues_a_token_with_the_request_s_data(site: Site) -> None:
    token = site.login().token
    shown = site.server.admin().show(token.id)
    assert (shown.user, shown.ip, shown.user_agent) == (str(site.user.pk), "127.0.0.1", "shop/1")
    assert (shown.backend, shown.allowed_cookie, shown.allowed_header) == (MODEL_BACKEND, True, True)
    assert token.is_authenticated and token.user == site.user
    assert timedelta(minutes=30) < token.time_to_expiration <= timedelta(hours=1)
    assert token.secret_key.startswith("dw_") and token.secret_key not in repr(token)


def test_login_takes_every_option(site: Site) -> None:
    other = site.create_user("object")
    request = site.login(
        auth_slug="test",
        related_objs=[other],
        backend="LoginBackend",
        allowed_cookie=False,
        allowed_header=False,
        two_factor_login=True,
        expiration=5,
        scopes=["a"],
    )
    shown = site.server.admin().show(request.token.id)
    assert (shown.auth_slug, shown.backend, shown.scopes) == ("test", "LoginBackend", ("a",))
    assert (shown.allowed_cookie, shown.allowed_header, shown.is_authenticated) == (False, False, False)
    assert shown.related_objects == (RelatedObject("auth.user", str(other.pk)),)
    assert request.token.time_to_expiration <= timedelta(seconds=5)
    assert not request.user.is_authenticated


def test_login_needs_a_backend_if_there_are_several(site: Site) -> None:
    with override_settings(AUTHENTICATION_BACKENDS=[MODEL_BACKEND, "django.contrib.auth.backends.RemoteUserBackend"]):
        with pytest.raises(ValueError, match="backend"):
            site.login()


def test_login_needs_the_client_s_address(site: Site) -> None:
    request = site.request(REMOTE_ADDR="")
    with pytest.raises(ImproperlyConfigured, match="REMOTE_ADDR"):
        doorward.login(request, site.user)
    with site.configured(CLIENT_IP="tests.test_django.forwarded_address"):
        doorward.login(request, site.user)
    assert site.server.admin().show(request.token.id).ip == "198.51.100.9"


def forwarded_address(request: Any) -> str:
    return "198.51.100.9"


def age(request: Any, user: Any, auth_slug: str | None) -> int:
    return 1234


def test_the_age_of_a_token_may_come_from_a_function(site: Site) -> None:
    with site.configured(AGE_CALLBACK="tests.test_django.age"):
        token = site.login().token
    assert timedelta(seconds=600) < token.time_to_expiration <= timedelta(seconds=1234)


def test_signals_are_sent(site: Site) -> None:
    heard: list[Any] = []

    def listen(sender: Any, user: Any, **_: Any) -> None:
        heard.append(user)

    for signal in (user_logged_in, user_logged_out):
        signal.connect(listen)
    request = site.login()
    doorward.logout(site.bearing(request.token.secret_key))
    doorward.logout(request)
    doorward.logout(request)
    assert heard == [site.user, site.user, site.user, None]
    for signal in (user_logged_in, user_logged_out):
        signal.disconnect(listen)


def test_a_request_has_the_token_of_its_header_or_cookie(site: Site) -> None:
    secret = site.login().token.secret_key
    by_header, by_cookie = site.bearing(secret), site.request(HTTP_COOKIE=f"doorward={secret}")
    assert by_header.user == by_cookie.user == site.user
    assert by_header.token.id == by_cookie.token.id == secret[3:19]
    assert (by_header.token.is_from_header, by_header.token.is_from_cookie) == (True, False)
    assert (by_cookie.token.is_from_header, by_cookie.token.is_from_cookie) == (False, True)
    assert by_header.token.secret_key == secret


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"HTTP_AUTHORIZATION": "Bearer invalid"},
        {"HTTP_AUTHORIZATION": "Invalid TOKEN"},
        {"HTTP_COOKIE": "doorward=invalid"},
        {"HTTP_COOKIE": "Authorization=invalid"},
    ],
)
def test_a_request_without_a_valid_token_is_anonymous(site: Site, meta: dict[str, str]) -> None:
    request = site.request(**meta)
    token = request.token
    assert token.is_anonymous and not token.is_active and not token.is_authenticated
    assert isinstance(token.user, AnonymousUser) and not request.user.is_authenticated


def test_a_token_is_refused_on_a_transport_that_is_not_allowed(site: Site) -> None:
    no_cookie = site.login(allowed_cookie=False).token.secret_key
    no_header = site.login(allowed_header=False).token.secret_key
    assert site.bearing(no_cookie).token.is_active and not site.bearing(no_header).token.is_active
    assert site.request(HTTP_COOKIE=f"doorward={no_header}").token.is_active
    assert not site.request(HTTP_COOKIE=f"doorward={no_cookie}").token.is_active


def test_a_revoked_token_is_anonymous(site: Site) -> None:
    token = site.login().token
    doorward.admin().revoke(token.id)
    assert site.bearing(token.secret_key).token.is_anonymous


def test_an_expired_token_is_anonymous(site: Site) -> None:
    with site.configured(RENEWAL_EXEMPT_HEADER="X-Authorization-Renewal-Exempt"):
        secret = site.login(expiration=1).token.secret_key
        headers = {"HTTP_AUTHORIZATION": f"Bearer {secret}", "HTTP_X_AUTHORIZATION_RENEWAL_EXEMPT": "1"}
        wait_until(lambda: bool(site.request(**headers).token.is_anonymous))
        assert isinstance(site.request(**headers).user, AnonymousUser)


def test_another_header_may_carry_the_token(site: Site) -> None:
    with Server(header_name="X-Authorization", header_schemes="Bearer,none") as server:
        site.server = server
        with site.configured(FORWARD_HEADERS=["X-Authorization"]):
            secret = site.login().token.secret_key
            for value in (secret, f"Bearer {secret}"):
                request = site.request(HTTP_X_AUTHORIZATION=value)
                assert request.user == site.user and request.token.is_from_header
                headers = {"X-Authorization": value}
                assert Client(enforce_csrf_checks=True).post("/", headers=headers).status_code == 200
            assert site.bearing(secret).token.is_anonymous


def test_csrf_is_enforced_only_for_cookies(site: Site) -> None:
    secret = site.login().token.secret_key
    client = Client(enforce_csrf_checks=True)
    assert client.post("/", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    client.cookies["doorward"] = secret
    assert client.post("/").status_code == 403
    # Another scheme does not carry the token, so the cookie decides.
    assert client.post("/", headers={"Authorization": "Basic YTpi"}).status_code == 403
    assert Client().post("/", headers={"Cookie": f"doorward={secret}"}).status_code == 200


def test_a_user_is_loaded_only_through_a_backend_in_use(site: Site) -> None:
    secret = site.login(backend="LoginBackend").token.secret_key
    request = site.bearing(secret)
    assert request.token.is_active and isinstance(request.user, AnonymousUser)
    assert isinstance(doorward.get_user_from_token(None), AnonymousUser)
    assert isinstance(doorward.get_user_from_token(doorward.RequestToken()), AnonymousUser)


def test_an_inactive_or_deleted_user_is_anonymous(site: Site) -> None:
    secret = site.login().token.secret_key
    site.user.is_active = False
    site.user.save()
    assert isinstance(site.bearing(secret).user, AnonymousUser)
    site.user.delete()
    assert isinstance(site.bearing(secret).user, AnonymousUser)


def test_a_user_that_is_no_primary_key_is_anonymous(site: Site) -> None:
    token = site.server.issue("not a number", backend=MODEL_BACKEND).token
    assert isinstance(site.bearing(token).user, AnonymousUser)


def test_another_field_may_name_the_user(site: Site) -> None:
    with site.configured(USER_FIELD="username"):
        secret = site.login().token.secret_key
        assert site.server.admin().tokens("alice").items[0].user == "alice"
        assert site.bearing(secret).user == site.user
        nobody = site.server.issue("nobody", backend=MODEL_BACKEND).token
        assert isinstance(site.bearing(nobody).user, AnonymousUser)


def test_logout_revokes_the_token(site: Site) -> None:
    secret = site.login().token.secret_key
    request = site.bearing(secret)
    assert doorward.logout(request) == "token"
    assert request.token.is_anonymous and not request.user.is_authenticated
    assert site.bearing(secret).token.is_anonymous


def test_logout_without_a_login_does_nothing(site: Site) -> None:
    request = RequestFactory().get("/logout/")
    assert doorward.logout(request) is None
    request = RequestFactory().get("/logout/")
    request.user = site.user
    assert doorward.logout(request) is None
    assert not request.user.is_authenticated
    assert doorward.logout(site.bearing("invalid")) is None


def test_logout_right_after_a_login(site: Site) -> None:
    request = site.login()
    secret = request.token.secret_key
    assert doorward.logout(request) == "token"
    assert site.bearing(secret).token.is_anonymous


def test_a_takeover_changes_the_user_and_logout_ends_it_first(site: Site) -> None:
    other = site.create_user("bob")
    secret = site.login().token.secret_key
    request = site.bearing(secret)
    assert doorward.takeover(request, other, reason="ticket 4711", seconds=900)
    assert (request.user, request.token.user) == (other, site.user)
    request = site.bearing(secret)
    assert (request.user, request.token.user, request.token.active_takeover) == (other, site.user, str(other.pk))
    with site.configured(TAKEOVER_ENABLED=False):
        assert site.bearing(secret).user == site.user
        assert not doorward.takeover(site.bearing(secret), other)
    assert doorward.logout(request) == "takeover"
    assert (request.user, request.token.active_takeover) == (site.user, None)
    request = site.bearing(secret)
    assert request.user == site.user
    assert doorward.logout(request) == "token"
    assert site.bearing(secret).token.is_anonymous


def test_a_takeover_right_after_a_login_is_ended_by_name(site: Site) -> None:
    request = site.login()
    assert doorward.takeover(request, site.create_user("bob"))
    assert doorward.logout(request) == "takeover"
    assert request.user == site.user and request.token.is_active


def test_nobody_takes_over_themselves(site: Site) -> None:
    request = site.login()
    assert not doorward.takeover(request, site.user)
    assert doorward.admin().token_takeovers(request.token.id).items == ()
    assert not doorward.takeover(site.request(), site.user)


def test_the_user_may_return_from_a_takeover(site: Site) -> None:
    request, other = site.login(), site.create_user("bob")
    assert doorward.takeover(request, other)
    assert doorward.takeover(request, site.user)
    assert request.user == site.user and request.token.active_takeover is None
    assert site.bearing(request.token.secret_key).user == site.user


def test_a_second_factor_is_awaited_and_confirmed(site: Site) -> None:
    pending = site.login(two_factor_login=True).token
    assert pending.is_active and not pending.is_authenticated
    request = site.bearing(pending.secret_key)
    assert request.token.is_active and not request.token.is_authenticated
    assert not request.user.is_authenticated
    doorward.authorize_login(request.token, request)
    assert request.token.is_authenticated and request.user == site.user
    assert site.bearing(pending.secret_key).user == site.user
    doorward.authorize_login(request.token, request)


def test_a_forged_pending_token_is_anonymous(site: Site) -> None:
    """The id of a pending token is public: only its secret proves it."""
    pending = site.login(two_factor_login=True).token
    other = site.login().token
    forged = pending.secret_key[:19] + other.secret_key[19:]
    assert site.bearing(forged).token.is_anonymous


def test_logout_ends_a_pending_login(site: Site) -> None:
    client = Client()
    client.post("/login/", {"username": "alice", "password": "secret", "two_factor": "1"})
    assert client.get("/").content == b"pending"
    response = client.post("/logout/")
    assert (response.content, response.cookies["doorward"].value) == (b"token", "")
    assert client.get("/").content == b"login"


def test_a_browser_logs_in_and_out_by_cookie(site: Site) -> None:
    client = Client()
    assert client.get("/").status_code == 302
    assert client.post("/login/", {"username": "alice", "password": "wrong"}).status_code == 403
    response = client.post("/login/", {"username": "alice", "password": "secret"})
    cookie = response.cookies["doorward"]
    assert (cookie["max-age"], cookie["httponly"], cookie["secure"], cookie["samesite"]) == ("", True, True, "Lax")
    assert client.get("/").json()["user"] == "alice"
    assert not site.bearing(cookie.value).token.is_active, "the form's token is for cookies only"
    response = client.post("/logout/")
    assert (response.content, response.cookies["doorward"].value) == (b"token", "")
    assert client.get("/").status_code == 302


def test_a_permanent_cookie_outlives_the_browser(site: Site) -> None:
    response = Client().post("/login/", {"username": "alice", "password": "secret", "permanent": "1"})
    cookie = response.cookies["doorward"]
    assert int(cookie["max-age"]) == 30 * 24 * 3600
    assert site.server.admin().tokens(str(site.user.pk)).items[0].expiration is False


def test_logout_clears_an_invalid_cookie(site: Site) -> None:
    client = Client()
    client.cookies["doorward"] = "invalid"
    assert client.post("/logout/").cookies["doorward"].value == ""


def test_a_browser_confirms_its_second_factor(site: Site) -> None:
    client = Client()
    client.post("/login/", {"username": "alice", "password": "secret", "two_factor": "1"})
    assert client.get("/").content == b"pending"
    assert client.post("/second-factor/", {"code": "wrong"}).content == b"pending"
    assert client.post("/second-factor/", {"code": "12345"}).json()["user"] == "alice"
    assert client.get("/").json()["user"] == "alice"


def test_a_renewal_exempt_request_does_not_count_as_an_access(site: Site) -> None:
    with site.configured(RENEWAL_EXEMPT_HEADER="X-Authorization-Renewal-Exempt", EXPIRATION_HEADER="X-Expiration"):
        secret = site.login(expiration=1000).token.secret_key
        authorization = {"Authorization": f"Bearer {secret}"}
        before = site.server.admin().show(secret[3:19]).last_access
        exempt = {**authorization, "X-Authorization-Renewal-Exempt": "1"}
        for response in (Client().get("/", headers=exempt), Client().get("/poll/", headers=authorization)):
            assert response.headers["X-Expiration"].startswith("0:1")
        assert site.server.admin().show(secret[3:19]).last_access == before

        def has_accessed() -> bool:
            # The first access may be in the millisecond of the issue. Accesses are written every second.
            assert Client().get("/", headers=authorization).status_code == 200
            return site.server.admin().show(secret[3:19]).last_access > before

        wait_until(has_accessed)


def test_the_expiration_header_tells_the_time_left(site: Site) -> None:
    secret = site.login().token.secret_key
    headers = {"Authorization": f"Bearer {secret}"}
    assert "X-Authorization-Expiration" not in Client().get("/", headers=headers).headers
    with site.configured(EXPIRATION_HEADER="X-Authorization-Expiration"):
        assert Client().get("/", headers=headers).headers["X-Authorization-Expiration"].startswith("0:5")
        assert "X-Authorization-Expiration" not in Client().get("/").headers


def test_batches_serve_the_site_as_well(site: Site) -> None:
    secret = site.login().token.secret_key
    with site.configured(BATCH=True):
        assert site.bearing(secret).user == site.user
        assert site.bearing("invalid").token.is_anonymous


def test_an_async_view_has_its_user(site: Site) -> None:
    secret = site.login().token.secret_key

    async def ask() -> Any:
        return await AsyncClient().get("/async/", headers={"Authorization": f"Bearer {secret}"})

    assert asyncio.run(ask()).json() == {"user": "alice"}


def test_a_misspelt_setting_is_refused(site: Site) -> None:
    with override_settings(DOORWARD={"URLL": "x"}), pytest.raises(ImproperlyConfigured, match="URLL"):
        doorward.admin()
