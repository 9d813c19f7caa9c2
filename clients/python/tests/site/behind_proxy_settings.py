"""The settings of the site behind a proxy."""

from .settings import *  # noqa: F403

MIDDLEWARE = ["tests.site.snippets.doorward_headers", "django.middleware.csrf.CsrfViewMiddleware"]
PROXY_SECRET = "of the proxy"
