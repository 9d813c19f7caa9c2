"""Authlib as it comes: introspect, revoke, introspect again, with each of its ways to show a secret.

Environment: URL of the admin plane, KEY, TOKENS; prints what each step found, a line of JSON each.
"""
import json
import os

from authlib.integrations.requests_client import OAuth2Session

url, key = os.environ["URL"], os.environ["KEY"]
for token, method in zip(os.environ["TOKENS"].split(), ["client_secret_basic", "client_secret_post"]):
    client = OAuth2Session(
        "a resource server", key, token_endpoint_auth_method=method, revocation_endpoint_auth_method=method
    )

    def introspect():
        response = client.introspect_token(f"{url}/introspect", token=token, token_type_hint="access_token")
        response.raise_for_status()
        print(json.dumps(response.json()))

    introspect()
    client.revoke_token(f"{url}/revoke", token=token, token_type_hint="refresh_token").raise_for_status()
    introspect()
