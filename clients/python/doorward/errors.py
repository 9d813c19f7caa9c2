"""What can go wrong. An outage is always `Unavailable`, never "not logged in"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class DoorwardError(Exception):
    """The base of all errors of this package."""


class Unavailable(DoorwardError):
    """Doorward or its store could not be asked, or did not answer in time.

    Nothing is known about the token. Answer with 503 and `Retry-After`, and keep the client's cookie. After a call that
    changes something, it is unknown whether the change was made.
    """

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds after which to try again, for `Retry-After`."""


@dataclass(frozen=True)
class FieldError:
    """A mistake in one field of a request: a JSON pointer, and what is wrong with the field."""

    pointer: str
    detail: str


class Problem(DoorwardError):
    """Doorward refused a call of the admin plane (RFC 9457). The call changed nothing."""

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        errors: Sequence[FieldError],
        request_id: str | None,
        token_id: str | None = None,
    ) -> None:
        fields = "".join(f"; {error.pointer} {error.detail}" for error in errors)
        super().__init__(f"{status} {kind}: {detail or title}{fields}")
        self.status = status
        self.kind = kind
        """The stable name of the problem, such as `token-revoked`: the last part of its `type`."""
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.request_id = request_id
        self.token_id = token_id
        """Of an `idempotency-replay`: the token that the first call made."""


class NotFound(Problem):
    """404: the token, takeover or device key does not exist, or has expired."""


class Conflict(Problem):
    """409: the state forbids the call; `kind` says why."""


class InvalidFields(Problem):
    """422: `errors` lists the mistakes."""


class LoginRefused(Problem):
    """401 of a device login: no active device key has this uuid and this login token."""


class KeyRefused(Problem):
    """401 or 403: the API key is missing, unknown or expired, or lacks the scope."""
