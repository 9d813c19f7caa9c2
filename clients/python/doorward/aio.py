"""Both planes of Doorward for asyncio. `client` has the same for threads."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Protocol, TypeVar, Unpack

from . import _calls
from ._aio_transport import AsyncTransport
from ._calls import Call, DeviceChanges, TokenChanges, TokenFields
from ._request import ClientRequest, Logout, check_request, logout_request, verdict
from .models import Device, Page, RelatedObject, Takeover, Token, Verdict

T = TypeVar("T")


class AsyncChecker(Protocol):
    """What the ASGI middleware asks: an `AsyncValidator` or an `AsyncBatcher`."""

    async def check(self, request: ClientRequest | str, *, optional: bool = False) -> Verdict:
        """Judges a request, or a bare token string.

        With `optional`, a request without a valid token passes without a user. Raises Unavailable in an outage.
        """


class AsyncValidator:
    """The validation plane: may this request pass?"""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        *,
        timeout: float = 1.0,
        forward_headers: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`url`: `http://host:port`, `https://host:port` or `unix:/path`. `timeout` bounds each check, in seconds.

        `forward_headers` names further headers of the client's request that Doorward's settings give a meaning.
        """
        self._transport = AsyncTransport(url, timeout, tls=tls)
        self._forward = tuple(forward_headers)

    async def check(self, request: ClientRequest | str, *, optional: bool = False, name: str | None = None) -> Verdict:
        """Judges a request, or a bare token string, as `/auth` does.

        With `optional`, a request without a valid token passes without a user. `name` names a check of Doorward's
        settings. Raises Unavailable in an outage.
        """
        asked = check_request(request, optional, name, self._forward)
        # A named check may admit anonymous users.
        return verdict(await self._transport.send(asked), optional or name is not None)

    async def logout(self, request: ClientRequest) -> Logout:
        """Ends the request's takeover, or else revokes its token, as `POST /logout` does.

        A logout by cookie that another site caused does nothing.
        """
        return Logout.from_response(await self._transport.send(logout_request(request, self._forward)))

    async def close(self) -> None:
        await self._transport.close()


class AsyncAdmin:
    """The admin plane: the lifecycle of tokens.

    Each call raises Unavailable in an outage, and a Problem if Doorward refuses it. After a broken connection or a 503,
    `issue`, `rotate` and `create_device` are sent again, once, and are done once. Other calls that may not be repeated
    are sent once. After Unavailable, it is unknown whether a call was done.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8081",
        api_key: str = "",
        *,
        timeout: float = 5.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._transport = AsyncTransport(url, timeout, tls=tls)
        self._api_key = api_key

    async def _do(self, call: Call[T]) -> T:
        response = await self._transport.send(call.request(self._api_key))
        recovery = call.recovery(response)
        if recovery is None:
            return call.answer(response)
        return recovery.answer(await self._transport.send(recovery.request(self._api_key)))

    async def issue(self, user: str, ip: str, **fields: Unpack[TokenFields]) -> Token:
        """Issues a token. Its secret, `token`, is shown only now."""
        return await self._do(_calls.issue(user, ip, fields))

    async def show(self, token_id: str) -> Token:
        return await self._do(_calls.show(token_id))

    async def change(self, token_id: str, **fields: Unpack[TokenChanges]) -> Token:
        return await self._do(_calls.change(token_id, fields))

    async def tokens(
        self, user: str, *, include_revoked: bool = False, limit: int = 50, cursor: str | None = None
    ) -> Page[Token]:
        return await self._do(_calls.tokens(user, include_revoked, limit, cursor))

    async def revoke(self, token_id: str) -> None:
        """Revokes a token, or does nothing if it is revoked. Raises NotFound for an expired or unknown one."""
        await self._do(_calls.revoke(token_id))

    async def revoke_all(self, user: str, *, except_id: str | None = None) -> int:
        """Revokes all of a user's tokens but one; returns how many. Repeating it after Unavailable is safe."""
        return await self._do(_calls.revoke_all(user, except_id))

    async def rotate(self, token_id: str, *, set_cookie: bool = False) -> Token:
        """Gives a token a new secret under the same id. The old one works for another `rotation-grace`."""
        return await self._do(_calls.rotate(token_id, set_cookie))

    async def confirm(self, token_id: str) -> Token:
        """Confirms the second factor of a token."""
        return await self._do(_calls.confirm(token_id))

    async def start_takeover(
        self, token_id: str, user: str, *, reason: str | None = None, seconds: int | None = None
    ) -> Takeover:
        """Lets a token act as another user. An earlier takeover of the token is ended first."""
        return await self._do(_calls.start_takeover(token_id, user, reason, seconds))

    async def end_takeover(self, token_id: str) -> None:
        """Ends the takeover under way, or raises NotFound."""
        await self._do(_calls.end_takeover(token_id))

    async def token_takeovers(self, token_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Takeover]:
        return await self._do(_calls.token_takeovers(token_id, limit, cursor))

    async def user_takeovers(self, user: str, *, limit: int = 50, cursor: str | None = None) -> Page[Takeover]:
        """Who took this user over, and when."""
        return await self._do(_calls.user_takeovers(user, limit, cursor))

    async def create_device(self, user: str, uuid: str, *, name: str | None = None, user_agent: str = "") -> Device:
        """Gets or makes a device key. A new one has `created`, and its secret, `login_token`, is shown only now."""
        return await self._do(_calls.create_device(user, uuid, name, user_agent))

    async def devices(self, user: str, *, limit: int = 50, cursor: str | None = None) -> Page[Device]:
        return await self._do(_calls.devices(user, limit, cursor))

    async def device(self, user: str, uuid: str) -> Device:
        return await self._do(_calls.device(user, uuid))

    async def change_device(self, user: str, uuid: str, **fields: Unpack[DeviceChanges]) -> Device:
        """Changes a device key. To deactivate it revokes the tokens that it logged in."""
        return await self._do(_calls.change_device(user, uuid, fields))

    async def rotate_device(self, user: str, uuid: str) -> Device:
        """Gives an active device key a new login token; the old one is refused at once."""
        return await self._do(_calls.rotate_device(user, uuid))

    async def remove_device(self, user: str, uuid: str) -> None:
        await self._do(_calls.remove_device(user, uuid))

    async def device_login(self, uuid: str, login_token: str, ip: str, **fields: Unpack[TokenFields]) -> Token:
        """Issues a token to a device key. Raises LoginRefused if no active key has this uuid and login token."""
        return await self._do(_calls.device_login(uuid, login_token, ip, fields))

    async def relate(self, token_id: str, related: RelatedObject) -> None:
        await self._do(_calls.relate(token_id, related))

    async def unrelate(self, token_id: str, related: RelatedObject) -> None:
        await self._do(_calls.unrelate(token_id, related))

    async def related_tokens(
        self, related: RelatedObject, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Token]:
        return await self._do(_calls.related_tokens(related, limit, cursor))

    async def revoke_related(self, related: RelatedObject) -> int:
        """Revokes every token of an object; returns how many. Repeating it after Unavailable is safe."""
        return await self._do(_calls.revoke_related(related))

    async def lock_user(self, user: str) -> None:
        """Refuses all tokens and logins of a user until `unlock_user`. No token is lost."""
        await self._do(_calls.lock_user(user))

    async def unlock_user(self, user: str) -> None:
        """Accepts the tokens of a locked user again."""
        await self._do(_calls.unlock_user(user))

    async def erase_user(self, user: str) -> None:
        """Erases everything that is stored of a user."""
        await self._do(_calls.erase_user(user))

    async def validate(self, token_strings: Sequence[str]) -> list[Token | None]:
        """Judges up to 1,000 token strings in one call, in order; `None` for an invalid one."""
        return await self._do(_calls.validate(token_strings))

    async def close(self) -> None:
        await self._transport.close()
