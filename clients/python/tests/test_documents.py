"""The examples of README.md and docs/applications.md are run."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, RequestFactory, override_settings

from doorward.django._settings import Settings
from doorward.django.middleware import attach

from .servers import KEY, Server, connects, wait_until
from .site import snippets as code
from .site.urls import Api
from .sites import Site

snippets: Any = code

PACKAGE = Path(__file__).parents[1]


def blocks(text: str) -> list[str]:
    """The Python examples of a document."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def examples(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The examples of the README, with the addresses of the server."""
    monkeypatch.setenv("KEY", KEY)
    text = (PACKAGE / "README.md").read_text()
    yield blocks(text.replace("http://127.0.0.1:8080", server.url).replace("http://127.0.0.1:8081", server.admin_url))


def test_the_examples_of_the_readme_work(examples: list[str], site: Site) -> None:
    namespace: dict[str, Any] = {}
    for example in examples:
        shown = re.findall(r"print\(.*\)  # (.*)$", example, re.MULTILINE)
        with redirect_stdout(StringIO()) as output:
            exec(example, namespace)
        assert output.getvalue().splitlines() == shown, example
    assert len(examples) == 8

    Settings(**namespace["DOORWARD"])
    with override_settings(DOORWARD=namespace["DOORWARD"]):
        request = RequestFactory().post("/", {"username": "alice", "password": "secret"})
        attach(request)
        assert namespace["log_in"](request).content == b"Hello alice"
        bob = site.create_user("bob")
        assert namespace["act_as"](request, bob).content == b"alice acts as bob"
        assert namespace["log_out"](request).content == b"takeover"


def test_the_readme_names_every_setting() -> None:
    text = (PACKAGE / "README.md").read_text()
    table = text.partition("| key of `DOORWARD` |")[2].partition("\n\n")[0]
    named = re.findall(
        r"`([A-Z_]+)`", "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| "))
    )
    assert sorted(named) == sorted(Settings.__dataclass_fields__)


@pytest.fixture
def behind_proxy(site: Site) -> Iterator[None]:
    """The site reads the proxy's headers and asks nobody."""
    middleware = ["tests.site.snippets.doorward_headers"]
    with override_settings(MIDDLEWARE=middleware, PROXY_SECRET="of the proxy", DOORWARD={"URL": "http://127.0.0.1:1"}):
        yield


PROXY = {"X-Proxy-Secret": "of the proxy"}


def test_the_django_snippet_reads_the_proxy_s_headers(behind_proxy: None, site: Site) -> None:
    site.create_user("zoë %")
    for sent, user in [("alice", "alice"), ("zo%C3%AB%20%25", "zoë %")]:
        headers = {**PROXY, "X-Auth-User": sent, "X-Auth-Actor": "support", "X-Auth-Token-Id": "jE0fuKh0wekXwO7v"}
        response = Client().get("/proxied/", headers=headers)
        assert response.json() == {"user": user, "token": "jE0fuKh0wekXwO7v", "actor": "support"}
    for nobody in ("-", "", "unknown"):
        response = Client().get("/proxied/", headers={**PROXY, "X-Auth-User": nobody, "X-Auth-Token-Id": "x"})
        assert response.status_code == 302
    site.user.is_active = False
    site.user.save()
    assert (
        Client().get("/proxied/", headers={**PROXY, "X-Auth-User": "alice", "X-Auth-Token-Id": "x"}).status_code == 302
    )


@pytest.mark.parametrize("secret", [{}, {"X-Proxy-Secret": ""}, {"X-Proxy-Secret": "guessed"}, {"X-Proxy-Secret": "é"}])
def test_the_django_snippet_refuses_requests_past_the_proxy(
    behind_proxy: None, site: Site, secret: dict[str, str]
) -> None:
    for path in ("/proxied/", "/api/"):
        forged = {**secret, "X-Auth-User": "alice", "X-Auth-Token-Id": "jE0fuKh0wekXwO7v"}
        assert Client().get(path, headers=forged).status_code == 403


def test_the_rest_snippet_authenticates_by_the_proxy_s_headers(behind_proxy: None, site: Site) -> None:
    class Proxied(Api):
        authentication_classes: Any = (snippets.ProxyAuthentication,)

    def ask(method: str, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = RequestFactory().generic(method, "/", headers=named)
        middleware = snippets.doorward_headers(Proxied.as_view())
        return middleware(request)

    known = {"X_Proxy_Secret": "of the proxy", "X_Auth_User": "alice", "X_Auth_Token_Id": "x", "X_Auth_Scopes": "a b"}
    response = ask("GET", **known, X_Auth_Via="header")
    assert (response.status_code, response.data) == (200, {"user": "alice", "scopes": ("a", "b")})
    assert ask("POST", **known, X_Auth_Via="header").status_code == 200
    assert ask("POST", **known, X_Auth_Via="cookie").status_code == 403, "CSRF"
    anonymous = ask("GET", X_Proxy_Secret="of the proxy", X_Auth_User="-", X_Auth_Token_Id="-")
    assert (anonymous.status_code, anonymous.headers["WWW-Authenticate"]) == (401, 'Bearer realm="doorward"')
    assert ask("GET", X_Auth_User="alice", X_Auth_Token_Id="x").status_code == 403


def test_gunicorn_drops_other_spellings_of_the_headers(tmp_path: Path) -> None:
    """docs/applications.md relies on it."""
    socket_path = tmp_path / "app.sock"
    command = [sys.executable, "-m", "gunicorn", "--bind", f"unix:{socket_path}", "--workers", "1"]
    process = subprocess.Popen([*command, "--log-level", "error", "tests.site.spellings:application"], cwd=PACKAGE)
    try:
        wait_until(lambda: connects(str(socket_path)))
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(socket_path))
            connection.sendall(b"GET / HTTP/1.0\r\nHost: x\r\nX_Auth_User: forged\r\nX-Auth-Slug: real\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.endswith(b"HTTP_X_AUTH_SLUG=real")
    finally:
        process.terminate()
        process.wait()
