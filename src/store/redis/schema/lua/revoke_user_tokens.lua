-- Revokes a user's tokens: all but one, or those that a device key logged in.
-- Why a script: the tokens are revoked in one step, or a few in each step, so that none is renewed or changed meanwhile. See
-- revoke_tokens in shared/revocation.lua.
-- KEYS     the user's index
-- ARGV[2]  user
--          except    locator of the token to keep, or ''
--          device    uuid of the device key whose tokens to revoke; absent: all tokens
--          locators  in a further step, the tokens to go through; absent in the first
-- Returns what revoke_tokens returns.
local reason = a.device and 'device' or 'all_of_user'
return finish(revoke_tokens(a.user, reason, a.locators, function(t, locator)
  return locator ~= a.except and (not a.device or t.device == a.device)
end))
