"""The settings of the Django site of the tests. `conftest.py` sets DOORWARD for the server that it starts."""

from typing import Any

SECRET_KEY = "only-for-tests-only-for-tests-only-for-tests-only"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.site.urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"]
MIDDLEWARE = ["doorward.django.DoorwardMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "file:doorward-tests?mode=memory&cache=shared",
        "OPTIONS": {"uri": True},
    }
}
REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": ["doorward.drf.DoorwardAuthentication"]}
# Only a fast one.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DOORWARD: dict[str, Any] = {}
