"""Client of Doorward, a session token server. docs: README.md of this package.

`Validator` asks whether a request may pass, `Admin` manages tokens, and `Batcher` asks for busy servers. Each has an
`Async…` counterpart. `doorward.wsgi`, `doorward.asgi`, `doorward.django` and `doorward.drf` are for frameworks.
"""

from ._request import ClientRequest, Logout
from .aio import AsyncAdmin, AsyncChecker, AsyncValidator
from .batching import AsyncBatcher, Batcher
from .client import Admin, Checker, Validator
from .errors import (
    Conflict,
    DoorwardError,
    FieldError,
    InvalidFields,
    KeyRefused,
    LoginRefused,
    NotFound,
    Problem,
    Unavailable,
)
from .models import Device, Identity, Page, RelatedObject, Takeover, Token, Verdict

__all__ = [
    "Admin",
    "AsyncAdmin",
    "AsyncBatcher",
    "AsyncChecker",
    "AsyncValidator",
    "Batcher",
    "Checker",
    "ClientRequest",
    "Conflict",
    "Device",
    "DoorwardError",
    "FieldError",
    "Identity",
    "InvalidFields",
    "KeyRefused",
    "LoginRefused",
    "Logout",
    "NotFound",
    "Page",
    "Problem",
    "RelatedObject",
    "Takeover",
    "Token",
    "Unavailable",
    "Validator",
    "Verdict",
]
