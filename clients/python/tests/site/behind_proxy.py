"""The site as a WSGI application behind nginx, with the code of docs/applications.md. Its users: alice and bob."""

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.site.behind_proxy_settings"
django.setup()

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

call_command("migrate", verbosity=0)
for name in ("alice", "bob"):
    get_user_model().objects.create_user(name)

application = get_wsgi_application()
