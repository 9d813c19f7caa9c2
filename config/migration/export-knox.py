# Writes the tokens of django-rest-knox for `doorward import`. Run it in the folder of the site, with the site's Python:
#   DJANGO_SETTINGS_MODULE=mysite.settings PYTHONPATH=. python export-knox.py > tokens.ndjson
import json

import django

django.setup()

from django.db.models import Q
from django.utils import timezone
from knox.models import get_token_model
from knox.settings import knox_settings

valid = Q(expiry=None) | Q(expiry__gt=timezone.now())
for token in get_token_model().objects.filter(valid, user__is_active=True).order_by("pk").iterator():
    record = {
        "scheme": "knox",
        "digest": token.digest,
        # What the site calls its users in `POST /v1/tokens`, and the applications get as X-Auth-User.
        "user": str(token.user_id),
        "created_at": token.created.astimezone().isoformat(),
    }
    if token.expiry is None:
        record["expiration"] = False
    elif knox_settings.AUTO_REFRESH:
        record["idle_seconds"] = int(knox_settings.TOKEN_TTL.total_seconds())
        if knox_settings.AUTO_REFRESH_MAX_TTL is not None:
            record["expires_at"] = (token.created + knox_settings.AUTO_REFRESH_MAX_TTL).astimezone().isoformat()
    else:
        record["expires_at"] = token.expiry.astimezone().isoformat()
    print(json.dumps(record))
