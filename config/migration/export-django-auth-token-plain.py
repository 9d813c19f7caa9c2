# Writes the tokens of django-auth-token (up to 0.0.25) for `doorward import`, with a SHA-256 in place of each plaintext
# key. Run it in the folder of the site, with the site's Python:
#   DJANGO_SETTINGS_MODULE=mysite.settings PYTHONPATH=. python export-django-auth-token-plain.py > tokens.ndjson
import hashlib
import json

import django

django.setup()

from auth_token.models import Token

# If AUTH_TOKEN_TWO_FACTOR_ENABLED is False, the package ignores is_authenticated.
valid = {"is_active": True, "is_authenticated": True, "user__is_active": True}
for token in Token.objects.filter(**valid).order_by("pk").iterator():
    if token.is_expired:
        continue
    record = {
        "scheme": "django-auth-token-plain",
        "digest": hashlib.sha256(token.key.encode()).hexdigest(),
        # What the site calls its users in `POST /v1/tokens`, and the applications get as X-Auth-User.
        "user": str(token.user_id),
        "ip": token.ip,
        "user_agent": token.user_agent,
        "auth_slug": token.auth_slug,
        "backend": token.backend,
        "allowed_cookie": token.allowed_cookie,
        "allowed_header": token.allowed_header,
        "created_at": token.created_at.astimezone().isoformat(),
        "last_access": token.last_access.astimezone().isoformat(),
        # The ages of both kinds are Doorward's settings default-token-age and max-token-age.
        "expiration": token.expiration,
        "related_objects": [
            {"content_type": ".".join(related.content_type.natural_key()), "object_id": related.object_id}
            for related in token.related_objects.all()
        ],
    }
    print(json.dumps({name: value for name, value in record.items() if value not in (None, "", [])}))
