"""Settings of a Django site whose logins are those of the package in the variable PACKAGE."""
import os

import django

PACKAGE = os.environ["PACKAGE"]
IS_AUTH_TOKEN = PACKAGE.startswith("django-auth-token")

SECRET_KEY = "the-secret-key-of-the-site-0123456789"
ALLOWED_HOSTS = ["*"]
# Old sites often have times without a zone.
USE_TZ = PACKAGE != "django-auth-token-plain"
ROOT_URLCONF = "django_site"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["DATABASE"],
        # Seconds that a thread waits for another one's write. A transaction that reads first would not wait.
        "OPTIONS": {"timeout": 30, **({"transaction_mode": "IMMEDIATE"} if django.VERSION >= (5, 1) else {})},
    }
}
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    *(["auth_token"] if IS_AUTH_TOKEN else ["rest_framework", {"drf": "rest_framework.authtoken", "knox": "knox"}[PACKAGE]]),
]
# Tables are made from the models at once, not step by step.
MIGRATION_MODULES = {name.rsplit(".", 1)[-1]: None for name in INSTALLED_APPS}
MIDDLEWARE = ["auth_token.middleware.TokenAuthenticationMiddleware"] if IS_AUTH_TOKEN else []
PASSWORD_HASHERS = ["django_hashers.QuickHasher"]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
if IS_AUTH_TOKEN:
    AUTHENTICATION_BACKENDS.append("auth_token.backends.DeviceBackend")
