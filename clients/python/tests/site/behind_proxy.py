"""The site as a WSGI application behind nginx, with the code of docs/applications.md. It has the users alice and bob."""

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.site.behind_proxy_settings"
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402

call_command("migrate", verbosity=0)
for name in ("alice", "bob"):
    get_user_model().objects.create_user(name)

application = get_wsgi_application()
