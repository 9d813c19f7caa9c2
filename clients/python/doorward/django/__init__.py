"""Doorward for Django: `request.token` and `request.user`, and functions that log in and out.

The functions have the names that users of django-auth-token know. docs/django-auth-token.md lists the differences.
"""

from ._settings import admin
from .middleware import DoorwardMiddleware, auth_token_renewal_exempt
from .sessions import (
    DeviceAlreadyExists,
    authorize_login,
    device_login,
    login,
    logout,
    register_device,
    takeover,
)
from .tokens import DoorwardRequest, RequestToken, get_token, get_user, get_user_from_token

__all__ = [
    "DeviceAlreadyExists",
    "DoorwardMiddleware",
    "DoorwardRequest",
    "RequestToken",
    "admin",
    "auth_token_renewal_exempt",
    "authorize_login",
    "device_login",
    "get_token",
    "get_user",
    "get_user_from_token",
    "login",
    "logout",
    "register_device",
    "takeover",
]
