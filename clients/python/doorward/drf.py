"""Doorward for Django REST framework: an authentication class."""

from __future__ import annotations

from typing import Any

from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.request import Request

from .django.middleware import attach
from .django.tokens import RequestToken, find, is_from_header
from .errors import Unavailable


class ServiceUnavailable(exceptions.APIException):
    """503 with `Retry-After`: an outage is not a logout."""

    status_code = 503
    default_detail = "The login cannot be checked now. Try again."
    default_code = "unavailable"

    def __init__(self, error: Unavailable) -> None:
        super().__init__()
        # Django REST framework sends it as `Retry-After`.
        self.wait = error.retry_after


class DoorwardAuthentication(BaseAuthentication):
    """Authenticates by Doorward's token; `request.auth` is the `RequestToken`.

    A request with an invalid token gets 401. A token from a cookie needs Django's CSRF token. Needs
    `doorward.django.DoorwardMiddleware` only if views log in or out.
    """

    def authenticate(self, request: Request) -> tuple[Any, RequestToken] | None:
        django_request: Any = request._request
        if not hasattr(django_request, "token"):
            attach(django_request)
        try:
            token: RequestToken = django_request.token
            user = django_request.user if token.is_authenticated else None
            if user is None or not user.is_authenticated:
                if find(django_request) is not None:
                    raise exceptions.AuthenticationFailed("Invalid token.")
                return None
            if not is_from_header(django_request):
                self._enforce_csrf(django_request)
        except Unavailable as error:
            raise ServiceUnavailable(error) from error
        return user, token

    def authenticate_header(self, request: Request) -> str:
        """The value of `WWW-Authenticate`. Without it, Django REST framework would answer 403."""
        is_invalid = find(request._request) is not None
        return 'Bearer realm="doorward"' + (', error="invalid_token"' if is_invalid else "")

    def _enforce_csrf(self, request: Any) -> None:
        check = CSRFCheck(lambda _: None)  # type: ignore[arg-type]
        check.process_request(request)
        reason = check.process_view(request, None, (), {})  # type: ignore[arg-type]
        if reason:
            raise exceptions.PermissionDenied(f"CSRF failed: {reason}")
