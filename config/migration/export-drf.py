# Writes the tokens of Django REST framework (rest_framework.authtoken) for `doorward import`, with a SHA-256 in place
# of each plaintext key. Run it in the folder of the site, with the site's Python:
#   DJANGO_SETTINGS_MODULE=mysite.settings PYTHONPATH=. python export-drf.py > tokens.ndjson
import hashlib
import json

import django

django.setup()

from rest_framework.authtoken.models import Token

for token in Token.objects.filter(user__is_active=True).order_by("pk").iterator():
    print(json.dumps({
        "scheme": "drf",
        "digest": hashlib.sha256(token.key.encode()).hexdigest(),
        # What the site calls its users in `POST /v1/tokens`, and the applications get as X-Auth-User.
        "user": str(token.user_id),
        # With USE_TZ = False, times have no zone: they are those of TIME_ZONE, which Django makes the local one.
        "created_at": token.created.astimezone().isoformat(),
        # A token of Django REST framework never expires. Here it ends after max-token-age without an access.
        "expiration": False,
    }))
