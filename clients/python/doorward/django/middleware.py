"""The middleware: lazy `request.token` and `request.user`, cookies, and 503 for an outage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from .._answers import outage
from ..errors import Unavailable
from ._settings import settings
from .sessions import cookies
from .tokens import DoorwardRequest, RequestToken, User, get_token, get_user_from_token, is_from_header

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
View = TypeVar("View", bound=Callable[..., Any])


class DoorwardMiddleware:
    """Sets `request.token` and `request.user`. Both ask Doorward when they are first used, and once per request.

    List it before CsrfViewMiddleware, in the place of AuthenticationMiddleware. If Doorward is unavailable when it is
    asked, the answer is 503 with `Retry-After`, whatever the view makes of it. A view that can do without a user calls
    `get_token(request)` and handles Unavailable.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        attach(request)
        if self._is_async:
            return self._call_async(request)
        return _finish(request, self.get_response(request))

    async def _call_async(self, request: HttpRequest) -> HttpResponseBase:
        response = await self.get_response(request)
        return await sync_to_async(_finish)(request, response)

    def process_view(self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        ours = cast(DoorwardRequest, request)
        ours.auth_token_renewal_exempt = getattr(view, "auth_token_renewal_exempt", False)
        needs_csrf = request.method not in SAFE_METHODS and not getattr(view, "csrf_exempt", False)
        if needs_csrf and not getattr(request, "_dont_enforce_csrf_checks", False):
            # CsrfViewMiddleware comes next. Its own view for an error 500 asks it again, so nothing may fail there.
            try:
                ours._dont_enforce_csrf_checks = is_from_header(ours)
            except Unavailable as error:
                return unavailable(error)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return unavailable(error) if isinstance(error, Unavailable) else None


def attach(request: HttpRequest) -> None:
    """Sets the lazy attributes of a request."""
    ours = cast(Any, request)
    ours.token = SimpleLazyObject(partial(_token, ours))
    ours.user = SimpleLazyObject(partial(_user, ours))
    ours.auser = sync_to_async(partial(_user, ours))


def _token(request: DoorwardRequest) -> RequestToken:
    # During an outage, only the first use waits for the timeout.
    if hasattr(request, "_doorward_outage"):
        raise request._doorward_outage
    try:
        return get_token(request)
    except Unavailable as error:
        request._doorward_outage = error
        raise


def _user(request: DoorwardRequest) -> User:
    return get_user_from_token(request.token)


def unavailable(error: Unavailable) -> HttpResponse:
    """503: an outage is not a logout."""
    status, headers = outage(error)
    return HttpResponse(status=status, headers=dict(headers))


def _finish(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Sets cookies and headers of the response."""
    ours = cast(DoorwardRequest, request)
    if response.status_code != 503 and hasattr(ours, "_doorward_outage"):
        # Django makes a 500 of an error in another middleware, and a template takes it for an anonymous user:
        # `{% if user.is_authenticated and … %}` swallows every error.
        return unavailable(ours._doorward_outage)
    for cookie in cookies(request):
        response.cookies.load(cookie)
    name = settings().EXPIRATION_HEADER
    if name and response.status_code < 500:
        try:
            if ours.token.is_active:
                response.headers[name] = str(ours.token.time_to_expiration)
        except Unavailable:
            # The view needed no token.
            pass
    return response


def auth_token_renewal_exempt(view: View) -> View:
    """Marks a view whose requests neither renew the token nor count as an access, for polling.

    Needs `RENEWAL_EXEMPT_HEADER` and Doorward's `renewal-exempt-header`.
    """
    cast(Any, view).auth_token_renewal_exempt = True
    return view
