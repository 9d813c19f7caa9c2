# Writes the device keys of django-auth-token, of any version, for
# `doorward import --format django-auth-token-devices`. Run it in the folder of the site, with the site's Python:
#   DJANGO_SETTINGS_MODULE=mysite.settings PYTHONPATH=. python export-django-auth-token-devices.py > devices.ndjson
import json

import django

django.setup()

from auth_token import models

# DeviceKey up to 0.0.25, MobileDevice since.
Device = getattr(models, "MobileDevice", None) or models.DeviceKey
for device in Device.objects.filter(user__is_active=True).order_by("pk").iterator():
    record = {
        # What the site calls its users in `POST /v1/tokens`, and the applications get as X-Auth-User.
        "user": str(device.user_id),
        "uuid": device.uuid,
        "hash": device.login_token,
        "name": getattr(device, "name", None),
        "user_agent": device.user_agent,
        "created_at": device.created_at.astimezone().isoformat(),
        "last_login": device.last_login.astimezone().isoformat() if device.last_login else None,
        "is_active": device.is_active,
    }
    print(json.dumps({name: value for name, value in record.items() if value not in (None, "")}))
