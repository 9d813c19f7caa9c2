-- Why a script: a user's tokens are revoked in one step, or where they are many a few in each, so that none is renewed
-- or changed in between. See end_tokens in prelude.lua.
-- ARGV[2]  user
--          spare   the locator to spare, or ''
--          device  the uuid of the device key whose tokens are meant; absent: all
--          some    in a further step the locators to go through; else absent
-- Gives what end_tokens gives.
local why = a.device and 'device' or 'all_of_user'
return finish(end_tokens(a.user, why, a.some, function(t, locator)
  return locator ~= a.spare and (not a.device or t.device == a.device)
end))
