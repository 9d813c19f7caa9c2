"""A small site: what django-auth-token's users have."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import Context, Engine
from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from doorward import Identity, Unavailable
from doorward import django as doorward


def index(request: HttpRequest) -> HttpResponse:
    """Names the user and the token."""
    token: doorward.RequestToken = request.token  # type: ignore[attr-defined]
    if not request.user.is_authenticated:
        return HttpResponse("pending" if token.is_active else "login", status=302, headers={"Location": "/login/"})
    return JsonResponse({"user": request.user.get_username(), "token": token.id, "actor": token.actor})


def proxied(request: HttpRequest) -> HttpResponse:
    """Names the user that the proxy's headers name."""
    if not request.user.is_authenticated:
        return HttpResponse(status=302)
    identity: Identity = request.identity  # type: ignore[attr-defined]
    return JsonResponse({"user": request.user.get_username(), "actor": identity.actor, "token": identity.token_id})


async def async_index(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    return JsonResponse({"user": user.get_username()})


def public(request: HttpRequest) -> HttpResponse:
    return HttpResponse("public")


def template(request: HttpRequest) -> HttpResponse:
    """Django's templates swallow errors in a condition."""
    text = "{% if request.user.is_authenticated and request.token.is_active %}member{% else %}guest{% endif %}"
    return HttpResponse(Engine().from_string(text).render(Context({"request": request})))


def degraded(request: HttpRequest) -> HttpResponse:
    """A view that can do without a user."""
    try:
        user = doorward.get_user_from_token(doorward.get_token(request))
    except Unavailable:
        return HttpResponse("unknown")
    return HttpResponse(user.get_username())


@doorward.auth_token_renewal_exempt
def poll(request: HttpRequest) -> HttpResponse:
    return index(request)


def login(request: HttpRequest) -> HttpResponse:
    """Logs in by form; the cookie carries the token."""
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    if user is None:
        return HttpResponse("refused", status=403)
    doorward.login(
        request,
        user,
        allowed_header=False,
        two_factor_login="two_factor" in request.POST,
        permanent="permanent" in request.POST,
    )
    return HttpResponse("welcome")


def second_factor(request: HttpRequest) -> HttpResponse:
    """Checks the code of the second factor."""
    if request.POST["code"] == "12345":
        doorward.authorize_login(request.token, request)  # type: ignore[attr-defined]
    return index(request)


def logout(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(doorward.logout(request)))


class Login(APIView):
    """Logs in by JSON; the header carries the token."""

    authentication_classes: Any = ()

    def post(self, request: Request) -> Response:
        data: Any = request.data
        user = authenticate(request._request, username=data["username"], password=data["password"])
        if user is None:
            return Response(status=400)
        token = doorward.login(request._request, user, allowed_cookie=False)
        return Response({"token": token.secret_key})

    def delete(self, request: Request) -> Response:
        doorward.logout(request._request)
        return Response(status=204)


class DeviceLogin(APIView):
    authentication_classes: Any = ()

    def post(self, request: Request) -> Response:
        data: Any = request.data
        token = doorward.device_login(request._request, data["uuid"], data["login_device_token"])
        return Response({"token": token.secret_key})


class RegisterDevice(APIView):
    permission_classes = (IsAuthenticated,)

    def post(self, request: Request) -> Response:
        data: Any = request.data
        user: Any = request.user
        try:
            login_token = doorward.register_device(user, data["uuid"])
        except doorward.DeviceAlreadyExists:
            return Response({"uuid": ["Device key was already registered."]}, status=400)
        return Response({"device_login_token": login_token})


class Api(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        auth: Any = request.auth
        return Response({"user": request.user.get_username(), "scopes": auth.scopes})

    post = get


urlpatterns = [
    path("", index),
    path("proxied/", proxied),
    path("public/proxied/", proxied),
    path("async/", async_index),
    path("public/", public),
    path("template/", template),
    path("degraded/", degraded),
    path("poll/", poll),
    path("login/", login),
    path("second-factor/", second_factor),
    path("logout/", logout),
    path("api/", Api.as_view()),
    path("api/login/", Login.as_view()),
    path("api/device-login/", DeviceLogin.as_view()),
    path("api/register-device/", RegisterDevice.as_view()),
]
