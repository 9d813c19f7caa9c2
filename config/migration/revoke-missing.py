# Revokes in Doorward what the former system revoked between two exports: the tokens that only the first export has. A
# session with an idle time is left alone, because it may have expired there while its user asked Doorward. Needs a key
# with the scopes import and tokens in the variable DOORWARD_ADMIN_KEY:
#   python3 revoke-missing.py first.ndjson second.ndjson
import json
import os
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

URL = os.environ.get("DOORWARD_ADMIN_URL", "http://127.0.0.1:8081")
KEY = os.environ["DOORWARD_ADMIN_KEY"]


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    return urlopen(Request(URL + path, data, headers, method=method)).read()


def records(path):
    with open(path) as lines:
        return {record.get("digest") or record["token"]: record for record in map(json.loads, lines)}


first, second = map(records, sys.argv[1:])
missing = [first[string] for string in first if string not in second]
missing = [record for record in missing if not record.get("idle_seconds") and not record.get("expiration")]
revoked = 0
for start in range(0, len(missing), 1000):
    # A dry run tells the ids.
    answer = call("POST", "/v1/import", {"tokens": missing[start : start + 1000], "dry_run": True})
    for result in json.loads(answer)["results"]:
        if result["status"] == "exists":
            try:
                call("DELETE", f"/v1/tokens/{result['id']}")
                revoked += 1
            except HTTPError as error:
                # Expired since, or erased.
                if error.code != 404:
                    raise
print(f"{len(missing)} missing, {revoked} revoked")
