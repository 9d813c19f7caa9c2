"""The lifecycle on the admin plane."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import Any

import pytest

from doorward import (
    Admin,
    AsyncAdmin,
    AsyncBatcher,
    AsyncValidator,
    Batcher,
    Conflict,
    FieldError,
    InvalidFields,
    KeyRefused,
    LoginRefused,
    NotFound,
    Problem,
    RelatedObject,
    Token,
    Validator,
)

from .conftest import Kind
from .servers import IP, FakeServer, Server


@pytest.fixture
def admin(kind: Kind, server: Server) -> Any:
    return kind.admin(server.admin_url)


def test_a_token_is_issued_shown_changed_listed_and_revoked(admin: Any) -> None:
    order = RelatedObject("shop.order", "17")
    issued = admin.issue(
        "tom/ü?", IP, auth_slug="web", scopes=["a"], idle_seconds=90, related_objects=[order], set_cookie=True
    )
    assert issued.token.startswith("dw_") and issued.token[3:19] == issued.id
    assert issued.set_cookie.startswith(f"doorward={issued.token}; ")
    assert issued.token not in repr(issued)
    assert (issued.user, issued.scopes, issued.related_objects) == ("tom/ü?", ("a",), (order,))
    assert 0 < issued.time_to_expiration <= 90
    assert isinstance(issued.created_at, datetime) and issued.created_at.tzinfo == UTC
    shown = admin.show(issued.id)
    assert (shown.id, shown.token, shown.set_cookie) == (issued.id, None, None)
    assert admin.change(issued.id, auth_slug="mobile", allowed_cookie=False).auth_slug == "mobile"
    assert [each.id for each in admin.tokens("tom/ü?").items] == [issued.id]
    admin.revoke(issued.id)
    admin.revoke(issued.id)
    assert admin.tokens("tom/ü?").items == ()
    [revoked] = admin.tokens("tom/ü?", include_revoked=True).items
    assert (revoked.is_active, revoked.revoked_reason) == (False, "ended")


def test_a_listing_has_pages(admin: Any) -> None:
    ids = {admin.issue("page", IP).id for _ in range(3)}
    first = admin.tokens("page", limit=2)
    second = admin.tokens("page", limit=2, cursor=first.next_cursor)
    assert {each.id for each in first.items + second.items} == ids
    assert second.next_cursor is None


def test_revoke_all_spares_one(admin: Any) -> None:
    tokens = [admin.issue("many", IP) for _ in range(3)]
    assert admin.revoke_all("many", except_id=tokens[0].id) == 2
    assert [each.id for each in admin.tokens("many").items] == [tokens[0].id]
    assert admin.revoke_all("many") == 1


def test_a_rotation_gives_a_new_secret(admin: Any) -> None:
    issued = admin.issue("rotated", IP)
    rotated = admin.rotate(issued.id, set_cookie=True)
    assert rotated.id == issued.id and rotated.token != issued.token
    assert rotated.token in rotated.set_cookie


def test_a_second_factor_is_confirmed(admin: Any) -> None:
    issued = admin.issue("second", IP, is_authenticated=False)
    assert admin.validate([issued.token]) == [None]
    assert admin.confirm(issued.id).is_authenticated
    assert admin.validate([issued.token])[0].id == issued.id


def test_a_takeover_starts_and_ends(admin: Any) -> None:
    token = admin.issue("support", IP)
    takeover = admin.start_takeover(token.id, "customer", reason="ticket 4711", seconds=900)
    assert (takeover.actor, takeover.user, takeover.reason) == ("support", "customer", "ticket 4711")
    taken = admin.show(token.id)
    assert taken.takeover.id == takeover.id
    assert taken.identity().user == "customer" and taken.identity().expires_in <= 900
    admin.end_takeover(token.id)
    with pytest.raises(NotFound):
        admin.end_takeover(token.id)
    [ended] = admin.token_takeovers(token.id).items
    assert not ended.is_active and ended.ended_at is not None
    assert admin.user_takeovers("customer").items == (ended,)
    with pytest.raises(Conflict) as raised:
        admin.start_takeover(token.id, "support")
    assert raised.value.kind == "own-user"


def test_a_device_logs_in(admin: Any) -> None:
    made = admin.create_device("phone", "0C56D67F-3C3A-4AE5-9E3B-4D8A1D7C7D4E", name="My phone", user_agent="shop/1")
    assert made.created and made.login_token not in repr(made)
    again = admin.create_device("phone", made.uuid)
    assert (again.created, again.login_token) == (False, None)
    token = admin.device_login(made.uuid, made.login_token, IP, auth_slug="mobile")
    assert (token.user, token.device, token.auth_slug) == ("phone", made.uuid, "mobile")
    with pytest.raises(LoginRefused):
        admin.device_login("another", made.login_token, IP)
    assert admin.device("phone", made.uuid).last_login is not None
    assert not admin.change_device("phone", made.uuid, is_active=False).is_active
    assert admin.validate([token.token]) == [None]
    assert [each.uuid for each in admin.devices("phone").items] == [made.uuid]
    admin.remove_device("phone", made.uuid)
    with pytest.raises(NotFound):
        admin.device("phone", made.uuid)


def test_a_device_gets_a_new_login_token(admin: Any) -> None:
    first = admin.create_device("watch", "uuid-1")
    second = admin.rotate_device("watch", "uuid-1")
    assert second.login_token not in (None, first.login_token)
    with pytest.raises(LoginRefused):
        admin.device_login("uuid-1", first.login_token, IP)
    assert admin.device_login("uuid-1", second.login_token, IP).device == "uuid-1"


def test_tokens_are_found_and_revoked_by_an_object(admin: Any) -> None:
    token, case = admin.issue("related", IP), RelatedObject("crm.case/ü", "a b")
    admin.relate(token.id, case)
    admin.relate(token.id, case)
    assert [each.id for each in admin.related_tokens(case).items] == [token.id]
    admin.unrelate(token.id, case)
    assert admin.related_tokens(case).items == ()
    admin.relate(token.id, case)
    assert admin.revoke_related(case) == 1


def test_a_locked_user_keeps_the_tokens(admin: Any) -> None:
    token = admin.issue("locked", IP)
    for _ in range(2):
        admin.lock_user("locked")
    assert admin.validate([token.token]) == [None] and admin.show(token.id).locked
    with pytest.raises(Conflict) as raised:
        admin.issue("locked", IP)
    assert raised.value.kind == "user-locked"
    for _ in range(2):
        admin.unlock_user("locked")
    assert not admin.validate([token.token])[0].locked


def test_the_lifetime_of_a_token_is_changed(admin: Any) -> None:
    token = admin.issue("shorter", IP)
    assert admin.change(token.id, idle_seconds=60).time_to_expiration <= 60
    assert admin.change(token.id, scopes=["a"], lifetime_seconds=30).time_to_expiration <= 30


def test_a_user_is_erased(admin: Any) -> None:
    token = admin.issue("erased", IP)
    admin.erase_user("erased")
    with pytest.raises(NotFound):
        admin.show(token.id)


def test_a_batch_is_judged_in_order(admin: Any) -> None:
    tokens = [admin.issue("batch", IP).token for _ in range(3)]
    asked = [tokens[0], "dw_made-up", "", tokens[1], 'quote"\\', "two words", "é", "x" * 2000, tokens[2]]
    results = admin.validate(asked)
    assert [result is not None for result in results] == [True, False, False, True, False, False, False, False, True]


def test_a_refusal_names_the_fields(admin: Any) -> None:
    with pytest.raises(InvalidFields) as raised:
        admin.issue("-", "nonsense")
    assert raised.value.errors[0] == FieldError("#/user", 'must not be "-", which stands for none')
    assert [error.pointer for error in raised.value.errors] == ["#/user", "#/ip"]
    assert raised.value.kind == "invalid-fields" and raised.value.request_id is not None


def test_a_wrong_key_is_an_error_of_its_own(kind: Kind, server: Server) -> None:
    client = Admin(server.admin_url, "wrong" * 10)
    with pytest.raises(KeyRefused) as raised:
        client.issue("alice", IP)
    assert raised.value.kind == "api-key-invalid" and "wrong" not in str(raised.value)


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"type": 3}', b'{"title": "X"}'])
def test_a_refusal_by_something_else_is_a_problem(kind: Kind, body: bytes) -> None:
    head = f"HTTP/1.1 413 Large\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with FakeServer(lambda _: head + body) as fake, pytest.raises(Problem):
        kind.admin(fake.url).show("abc")


def test_unknown_members_are_ignored(server: Server) -> None:
    time = "2026-11-24T01:17:38.148Z"
    required = {"id": "a", "user": "b", "created_at": time, "last_access": time, "expires_at": time, "is_active": True}
    token = Token.from_json({**required, "new_member": {"x": [1]}, "takeover": None})
    assert token.origin is None and token.time_to_expiration == 0


@pytest.mark.parametrize("pair", [(Admin, AsyncAdmin), (Validator, AsyncValidator), (Batcher, AsyncBatcher)])
def test_both_kinds_have_the_same_methods(pair: tuple[type, type]) -> None:
    def methods(of: type) -> dict[str, list[str]]:
        found = inspect.getmembers(of, inspect.isfunction)
        return {name: list(inspect.signature(each).parameters) for name, each in found if not name.startswith("_")}

    assert methods(pair[0]) == methods(pair[1])
