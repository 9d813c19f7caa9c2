"""The main calls, by the Python clients that openapi-python-client generates from both documents."""

from __future__ import annotations

import datetime
import os
import typing

from doorward_admin_plane_client import AuthenticatedClient
from doorward_admin_plane_client.api.devices import create_device, list_devices, log_in_device
from doorward_admin_plane_client.api.events import list_user_events
from doorward_admin_plane_client.api.import_ import import_sessions
from doorward_admin_plane_client.api.introspection import introspect_token, validate_tokens
from doorward_admin_plane_client.api.node import list_nodes, show_stats, show_status
from doorward_admin_plane_client.api.takeovers import end_takeover, list_token_takeovers, start_takeover
from doorward_admin_plane_client.api.tokens import change_token, issue_token, list_user_tokens, revoke_token
from doorward_admin_plane_client.api.tokens import rotate_token, show_token
from doorward_admin_plane_client.models import Batch, DeviceLogin, DevicePage, EventList, Import, ImportRecord
from doorward_admin_plane_client.models import ImportRecordScheme, ImportResults, Introspection, InvalidToken
from doorward_admin_plane_client.models import ListUserTokensInclude, MadeDevice, NewDevice, NewTakeover, NewToken
from doorward_admin_plane_client.models import NodeList, OAuthToken, Problem, RelatedObjectInput, Stats, Status
from doorward_admin_plane_client.models import Takeover, TakeoverPage, Token, TokenChange, TokenPage
from doorward_admin_plane_client.models import TokenWithSecret, ValidationResults
from doorward_validation_plane_client import AuthenticatedClient as HolderClient
from doorward_validation_plane_client.api.session import log_out, show_session
from doorward_validation_plane_client.api.validation import authenticate
from doorward_validation_plane_client.models import Logout
from doorward_validation_plane_client.models import Token as OwnToken

T = typing.TypeVar("T")
ADMIN = AuthenticatedClient(base_url=os.environ["ADMIN"], token=os.environ["KEY"], raise_on_unexpected_status=True)


def holder(token_string: str) -> HolderClient:
    return HolderClient(base_url=os.environ["VALIDATION"], token=token_string, raise_on_unexpected_status=True)


def parsed(answer: object, kind: type[T]) -> T:
    """Returns the answer if it is of this kind. A problem fails the test."""
    assert isinstance(answer, kind), answer
    return answer


def tokens() -> None:
    related = RelatedObjectInput(content_type="shop.order", object_id="17")
    new = NewToken(user="alice", ip="203.0.113.7", auth_slug="web", related_objects=[related])
    issued = parsed(issue_token.sync(client=ADMIN, body=new), TokenWithSecret)
    assert issued.user == "alice" and issued.related_objects[0].object_id == "17"
    assert issued.created_at.tzinfo == datetime.timezone.utc

    shown = parsed(show_token.sync(issued.id, client=ADMIN), Token)
    assert shown.auth_slug == "web" and shown.revoked_reason is None
    changed = parsed(change_token.sync(issued.id, client=ADMIN, body=TokenChange(auth_slug="app")), Token)
    assert changed.auth_slug == "app" and changed.is_active
    page = parsed(list_user_tokens.sync("alice", client=ADMIN, limit=10), TokenPage)
    assert [token.id for token in page.tokens] == [issued.id] and page.next_cursor is None

    batch = Batch(tokens=[issued.token, "dw_nonsense"])
    results = parsed(validate_tokens.sync(client=ADMIN, body=batch), ValidationResults).results
    assert parsed(results[0], Token).id == issued.id and not parsed(results[1], InvalidToken).is_active
    active = parsed(introspect_token.sync(client=ADMIN, body=OAuthToken(token=issued.token)), Introspection)
    assert active.active and active.sub == "alice"

    session = parsed(show_session.sync(client=holder(issued.token)), OwnToken)
    assert session.id == issued.id
    passed = authenticate.sync_detailed(client=holder(issued.token))
    assert (passed.status_code, passed.headers["x-auth-user"]) == (200, "alice")
    rotated = parsed(rotate_token.sync(issued.id, client=ADMIN), TokenWithSecret)
    assert rotated.token != issued.token

    assert revoke_token.sync_detailed(issued.id, client=ADMIN).status_code == 204
    assert authenticate.sync_detailed(client=holder(rotated.token)).status_code == 401
    revoked = parsed(
        list_user_tokens.sync("alice", client=ADMIN, include=ListUserTokensInclude.REVOKED), TokenPage
    ).tokens[0]
    assert revoked.revoked_reason == "ended" and revoked.revoked_at is not None
    problem = parsed(change_token.sync(issued.id, client=ADMIN, body=TokenChange(is_active=True)), Problem)
    assert problem.type_ == "urn:doorward:problem:invalid-fields" and isinstance(problem.errors, list)
    assert problem.errors[0].pointer == "#/is_active"


def takeovers() -> None:
    support = parsed(issue_token.sync(client=ADMIN, body=NewToken(user="support", ip="::1")), TokenWithSecret)
    new = NewTakeover(user="bob", reason="ticket 17")
    takeover = parsed(start_takeover.sync(support.id, client=ADMIN, body=new), Takeover)
    assert takeover.is_active and takeover.ended_at is None
    under_way = parsed(show_token.sync(support.id, client=ADMIN), Token).takeover
    assert under_way is not None and under_way.user == "bob"
    assert authenticate.sync_detailed(client=holder(support.token)).headers["x-auth-user"] == "bob"
    assert end_takeover.sync_detailed(support.id, client=ADMIN).status_code == 204
    history = parsed(list_token_takeovers.sync(support.id, client=ADMIN), TakeoverPage)
    assert [past.is_active for past in history.takeovers] == [False]
    assert parsed(log_out.sync(client=holder(support.token)), Logout).ended == "token"


def devices() -> None:
    made = parsed(create_device.sync("carol", client=ADMIN, body=NewDevice(uuid="phone")), MadeDevice)
    assert made.created and made.login_token is not None
    login = DeviceLogin(uuid="phone", login_token=made.login_token, ip="203.0.113.8")
    token = parsed(log_in_device.sync(client=ADMIN, body=login), TokenWithSecret)
    assert token.device == "phone"
    keys = parsed(list_devices.sync("carol", client=ADMIN), DevicePage).devices
    assert keys[0].last_login is not None
    events = parsed(list_user_events.sync("carol", client=ADMIN), EventList).events
    assert [event.type_ for event in events][-1] == "device.created"


def sessions() -> None:
    record = ImportRecord(scheme=ImportRecordScheme.DRF, user="dave", token="9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b")
    bad = ImportRecord(scheme=ImportRecordScheme.KNOX, user="dave")
    results = parsed(import_sessions.sync(client=ADMIN, body=Import(tokens=[record, bad])), ImportResults).results
    assert [result.status for result in results] == ["imported", "rejected"]
    imported = parsed(show_token.sync(results[0].id or "", client=ADMIN), Token)
    assert imported.origin == "drf" and results[1].errors[0].pointer == "#/tokens/1/digest"


tokens()
takeovers()
devices()
sessions()
assert parsed(show_status.sync(client=ADMIN), Status).ready
assert parsed(show_stats.sync(client=ADMIN), Stats).version
assert parsed(list_nodes.sync(client=ADMIN), NodeList).nodes[0].answering
