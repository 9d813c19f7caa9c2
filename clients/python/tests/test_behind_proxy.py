"""The code of docs/applications.md behind a real nginx with the configuration of config/proxies, and Doorward."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .servers import Server, connects, on_unix_sockets, wait_until

PACKAGE = Path(__file__).parents[1]
CONFIG = PACKAGE.parents[1] / "config/proxies"
SECRET_LINE = 'proxy_set_header X-Proxy-Secret "of the proxy";\n'


class Chain:
    """nginx, the application behind it, and Doorward."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.server = server
        self.nginx, self.app = f"{folder}/nginx.sock", f"{folder}/app.sock"
        upstreams = {"127.0.0.1:8080": server.url, "127.0.0.1:9000": f"unix:{self.app}", "8000": f"unix:{self.nginx}"}
        config = (CONFIG / "nginx.conf").read_text()
        for shown, real in upstreams.items():
            assert f" {shown}" in config
            config = config.replace(f" {shown}", f" {real}")
        (folder / "nginx.conf").write_text(config.replace("http {", "http {\n    access_log off;"))
        site = (CONFIG / "nginx-site.inc").read_text()
        first = "proxy_set_header X-Auth-User "
        (folder / "nginx-site.inc").write_text(site.replace(first, SECRET_LINE + first))
        for name in ("nginx-ask.inc", "nginx-doorward-headers.inc"):
            (folder / name).write_text((CONFIG / name).read_text())
        directives = "daemon off; master_process off; pid nginx.pid; error_log stderr error;"
        gunicorn = [sys.executable, "-m", "gunicorn", "--bind", f"unix:{self.app}", "--log-level", "error"]
        self.processes = [
            subprocess.Popen(["nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr", "-g", directives]),
            subprocess.Popen([*gunicorn, "tests.site.behind_proxy:application"], cwd=PACKAGE),
        ]

    def __enter__(self) -> Chain:
        wait_until(lambda: connects(self.nginx) and connects(self.app))
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
            process.wait()

    def get(self, path: str, *headers: str, past_proxy: bool = False) -> tuple[int, Any]:
        """Asks nginx, or the application itself; returns the status, and the JSON of a 200."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.app if past_proxy else self.nginx)
            lines = [f"GET {path} HTTP/1.0", "Host: shop.example", *headers, "", ""]
            connection.sendall("\r\n".join(lines).encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        status = int(answer.split(b" ")[1])
        return status, json.loads(answer.partition(b"\r\n\r\n")[2]) if status == 200 else None


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    with on_unix_sockets(trusted_proxies="unix") as server, Chain(tmp_path, server) as made:
        yield made


FORGED = ["X-Auth-User: bob", "X-Auth-Token-Id: x", "X_Auth_User: bob", "X_Auth_Token_Id: x", "X-Auth_User: bob"]


def test_the_application_sees_the_user_that_doorward_names(chain: Chain) -> None:
    token = chain.server.issue("alice")
    bearer = f"Authorization: Bearer {token.token}"
    alice = {"user": "alice", "actor": "alice", "token": token.id}
    assert chain.get("/proxied/", bearer) == (200, alice)
    assert chain.get("/proxied/", f"Cookie: doorward={token.token}") == (200, alice)
    chain.server.admin().start_takeover(token.id, "bob")
    assert chain.get("/proxied/", bearer) == (200, {**alice, "user": "bob"})
    chain.server.admin().revoke(token.id)
    assert chain.get("/proxied/", bearer) == (401, None)


def test_forged_headers_name_nobody(chain: Chain) -> None:
    token = chain.server.issue("alice")
    bearer = f"Authorization: Bearer {token.token}"
    status, shown = chain.get("/proxied/", bearer, *FORGED)
    assert (status, shown["user"]) == (200, "alice")
    assert chain.get("/proxied/", *FORGED) == (401, None)
    # Public: no user, so the view sends the client to the login.
    assert chain.get("/public/proxied/", *FORGED) == (302, None)
    assert chain.get("/public/proxied/", *FORGED, "Connection: X-Auth-User, X-Proxy-Secret") == (302, None)
    for secret in ([], ["X-Proxy-Secret: guessed"], ["X_Proxy_Secret: of the proxy"]):
        assert chain.get("/proxied/", *FORGED, *secret, past_proxy=True) == (403, None)


def test_an_outage_is_503_behind_the_proxy(chain: Chain) -> None:
    token = chain.server.issue("alice").token
    chain.server.kill()
    assert chain.get("/proxied/", f"Authorization: Bearer {token}") == (503, None)
