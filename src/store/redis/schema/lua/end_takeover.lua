-- Ends the takeover of a token.
-- Why a script: the token stops acting, and its history says since when, in one step.
-- KEYS     the token
-- ARGV[2]  locator
--          reason
--          takeover  locator of the takeover to end; absent: whichever is under way
-- Returns 1 if a takeover was under way, else 0.
local t, err = load_or_purge(a.locator, true)
if err then return err end
if not t then return 0 end
if a.takeover then
  local packed = redis.call('HGET', key('t', a.locator), 't')
  local is_whole, takeover = pcall(cmsgpack.unpack, packed or '')
  if not is_whole or type(takeover) ~= 'table' or takeover[1] ~= a.takeover then return 0 end
end
if t.is_expired then
  -- An expired token counts as absent, but a renewal on its way must not revive its takeover.
  end_takeover(t.user, a.locator, a.reason)
  return finish(0)
end
if t.is_revoked then return 0 end
if not end_takeover(t.user, a.locator, a.reason) then return 0 end
return finish(1)
