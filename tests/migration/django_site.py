"""A Django site with the logins of one package (see django_settings.py). Prints its port, then serves:

POST /login?user=NAME   logs a user in, as the package documents it; the token is in the answer
GET  /auth              200 with X-Auth-User, or 401: the package's own authentication decides
POST /accounts/logout   logs the request's user out

And with django-auth-token:

POST /device?user=NAME&uuid=UUID           makes a device key; its login token and its user are in the answer
POST /device-login?uuid=UUID&token=TOKEN   200 with X-Auth-User, or 401
"""
from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.http import HttpResponse, JsonResponse
from django.urls import path

application = get_wsgi_application()


@receiver(connection_created)
def do_not_wait_for_the_disk(connection, **_):
    connection.cursor().execute("PRAGMA synchronous = OFF")


def user_of(request):
    return get_user_model().objects.get_or_create(username=request.GET["user"])[0]


def identity(user):
    return HttpResponse(headers={"X-Auth-User": str(user.pk)}) if user else HttpResponse(status=401)


def auth_token_views():
    from auth_token import utils

    def login(request):
        user, backend = user_of(request), settings.AUTHENTICATION_BACKENDS[0]
        utils.login(request, user, auth_slug="web", backend=backend, related_objs=[user])
        return JsonResponse({"token": getattr(request.token, "secret_key", None) or request.token.key})

    def auth(request):
        return identity(request.user if request.user.is_authenticated else None)

    def logout(request):
        utils.logout(request)
        return HttpResponse()

    return login, auth, logout


def make_device(request):
    from auth_token import models

    user, uuid = user_of(request), request.GET["uuid"]
    if hasattr(models, "DeviceKey"):
        token = models.DeviceKey.objects.create_token(uuid, user)
    else:
        token = models.MobileDevice.objects.activate_or_create(uuid, user).secret_password
    return JsonResponse({"token": token, "user": str(user.pk)})


def log_device_in(request):
    uuid, token = request.GET["uuid"], request.GET["token"]
    # The second name is that of newer versions.
    return identity(authenticate(request, device_uuid=uuid, mobile_device_uuid=uuid, mobile_login_token=token))


def rest_views(authentication, create, delete):
    from rest_framework.decorators import api_view, authentication_classes, permission_classes
    from rest_framework.permissions import IsAuthenticated
    from rest_framework.response import Response

    def protected(method, view):
        return api_view([method])(authentication_classes([authentication])(permission_classes([IsAuthenticated])(view)))

    def login(request):
        return JsonResponse({"token": create(user_of(request))})

    def auth(request):
        return Response(headers={"X-Auth-User": str(request.user.pk)})

    def logout(request):
        delete(request.auth)
        return Response()

    return login, protected("GET", auth), protected("POST", logout)


def drf_views():
    from rest_framework.authentication import TokenAuthentication
    from rest_framework.authtoken.models import Token

    return rest_views(TokenAuthentication, lambda user: Token.objects.get_or_create(user=user)[0].key, Token.delete)


def knox_views():
    from knox.auth import TokenAuthentication
    from knox.models import AuthToken

    return rest_views(TokenAuthentication, lambda user: AuthToken.objects.create(user)[1], AuthToken.delete)


login, auth, logout = {"drf": drf_views, "knox": knox_views}.get(settings.PACKAGE, auth_token_views)()
urlpatterns = [path("login", login), path("auth", auth), path("accounts/logout", logout)]
urlpatterns += [path("device", make_device), path("device-login", log_device_in)]


if __name__ == "__main__":
    call_command("migrate", run_syncdb=True, verbosity=0)
    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.set_app(application)
    print(server.server_port, flush=True)
    server.serve_forever()
