"""The answers of the middlewares to requests that may not pass."""

from __future__ import annotations

from .errors import Unavailable
from .models import Verdict

Headers = list[tuple[str, str]]

PHRASES = {401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}


def refusal(verdict: Verdict) -> tuple[int, Headers]:
    """401 or 403, as Doorward answered."""
    return verdict.status, _headers(*verdict.headers)


def outage(error: Unavailable) -> tuple[int, Headers]:
    """503: an outage is not a logout, so the client must keep its token."""
    return 503, _headers(("Retry-After", str(error.retry_after)))


def _headers(*special: tuple[str, str]) -> Headers:
    # PEP 3333's checker demands a type of an empty body, too.
    common = [("Cache-Control", "no-store"), ("Content-Type", "text/plain"), ("Content-Length", "0")]
    return [*special, *common]
