"""Device keys by the functions for Django, on a real Django with a real Doorward."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied

from doorward import django as doorward

from .sites import Site


def test_a_device_is_registered_and_logs_in(site: Site) -> None:
    login_token = doorward.register_device(site.user, "E621E1F8C36C495", name="My phone")
    request = site.request()
    doorward.device_login(request, "E621E1F8C36C495", login_token)
    assert request.user == site.user and request.token.device == "E621E1F8C36C495"
    assert site.bearing(request.token.secret_key).user == site.user
    for uuid, wrong in [("E621E1F8C36C495", "dwd_wrong"), ("other", login_token)]:
        with pytest.raises(PermissionDenied):
            doorward.device_login(site.request(), uuid, wrong)


def test_an_active_device_cannot_be_registered_again(site: Site) -> None:
    doorward.register_device(site.user, "phone")
    with pytest.raises(doorward.DeviceAlreadyExists):
        doorward.register_device(site.user, "phone")
    doorward.register_device(site.create_user("bob"), "phone")


def test_an_inactive_device_is_registered_anew(site: Site) -> None:
    first = doorward.register_device(site.user, "phone")
    doorward.admin().change_device(str(site.user.pk), "phone", is_active=False)
    second = doorward.register_device(site.user, "phone", name="again")
    assert second != first
    device = doorward.admin().device(str(site.user.pk), "phone")
    assert (device.is_active, device.name) == (True, "again")


def test_the_device_of_an_inactive_user_does_not_log_in(site: Site) -> None:
    login_token = doorward.register_device(site.user, "phone")
    site.user.is_active = False
    site.user.save()
    with pytest.raises(PermissionDenied):
        doorward.device_login(site.request(), "phone", login_token)
    assert doorward.admin().tokens(str(site.user.pk)).items == ()


def test_deactivating_a_device_revokes_its_tokens(site: Site) -> None:
    login_token = doorward.register_device(site.user, "phone")
    request = site.request()
    doorward.device_login(request, "phone", login_token)
    owner = str(site.user.pk)
    doorward.admin().change_device(owner, "phone", is_active=False)
    assert site.bearing(request.token.secret_key).token.is_anonymous
    doorward.admin().change_device(owner, "phone", is_active=True)
    assert site.bearing(request.token.secret_key).token.is_anonymous
