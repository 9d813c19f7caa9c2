# Writes the tokens of django-auth-token (0.0.26 and later, also published as skip-django-auth-token) for
# `doorward import`. Run it in the folder of the site, with the site's Python:
#   DJANGO_SETTINGS_MODULE=mysite.settings PYTHONPATH=. python export-django-auth-token.py > tokens.ndjson
import json

import django

django.setup()

from auth_token.config import settings
from auth_token.models import AuthorizationToken
from django.utils import timezone

now = timezone.now()
valid = {"is_active": True, "is_authenticated": True, "expires_at__gt": now, "user__is_active": True}
for token in AuthorizationToken.objects.filter(**valid).order_by("pk").iterator():
    # Each request renews the token for AUTH_TOKEN_DEFAULT_TOKEN_AGE, but never shortens the time that is left. With an
    # AUTH_TOKEN_AGE_CALLBACK, write its age here.
    age = max(settings.DEFAULT_TOKEN_AGE, int((token.expires_at - now).total_seconds()))
    record = {
        "scheme": "django-auth-token",
        "digest": token.key,
        # What the site calls its users in `POST /v1/tokens`, and the applications get as X-Auth-User.
        "user": str(token.user_id),
        "ip": token.ip,
        "user_agent": token.user_agent,
        "auth_slug": token.auth_slug,
        "backend": token.backend,
        "allowed_cookie": token.allowed_cookie,
        "allowed_header": token.allowed_header,
        "created_at": token.created_at.astimezone().isoformat(),
        "last_access": token.changed_at.astimezone().isoformat(),
        "idle_seconds": age,
        "related_objects": [
            {"content_type": ".".join(related.object_ct.natural_key()), "object_id": str(related.object_id)}
            for related in token.related_objects.all()
        ],
    }
    print(json.dumps({name: value for name, value in record.items() if value not in (None, "", [])}))
