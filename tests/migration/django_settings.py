"""Settings of a Django site whose logins are those of the package in the variable PACKAGE."""
import os

PACKAGE = os.environ["PACKAGE"]
IS_AUTH_TOKEN = PACKAGE.startswith("django-auth-token")

SECRET_KEY = "the-secret-key-of-the-site-0123456789"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "django_site"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["DATABASE"],
        # Seconds that a thread waits for another one's write.
        "OPTIONS": {"timeout": 30},
    }
}
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    *{"drf": ["rest_framework", "rest_framework.authtoken"], "knox": ["rest_framework", "knox"]}.get(PACKAGE, ["auth_token"]),
]
# Tables are made from the models at once, not step by step.
MIGRATION_MODULES = {name.rsplit(".", 1)[-1]: None for name in INSTALLED_APPS}
MIDDLEWARE = ["auth_token.middleware.TokenAuthenticationMiddleware"] if IS_AUTH_TOKEN else []
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
if IS_AUTH_TOKEN:
    AUTHENTICATION_BACKENDS.append("auth_token.backends.DeviceBackend")
