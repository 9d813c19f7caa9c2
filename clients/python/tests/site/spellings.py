"""A WSGI application that shows the identity headers that reach it."""

from __future__ import annotations

from typing import Any


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    found = sorted(f"{name}={value}" for name, value in environ.items() if name.startswith("HTTP_X_AUTH"))
    return [" ".join(found).encode()]
