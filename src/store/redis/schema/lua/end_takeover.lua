-- Ends the takeover of a token.
-- Why a script: the token stops acting, and its history says since when, in one step.
-- KEYS     the token
-- ARGV[2]  locator
--          reason
--          takeover  locator of the takeover to end; absent: whichever is under way
-- Returns {user, locator of the takeover, user taken over} if a takeover was under way, else nil.
local t, err = load_or_purge(a.locator, true)
if err then return err end
if not t then return nil end
if a.takeover then
  local packed = redis.call('HGET', key('t', a.locator), 't')
  local is_whole, takeover = pcall(cmsgpack.unpack, packed or '')
  if not is_whole or type(takeover) ~= 'table' or takeover[1] ~= a.takeover then return nil end
end
if t.is_expired then
  -- An expired token counts as absent, but a renewal on its way must not revive its takeover.
  end_takeover(t.user, a.locator, a.reason)
  return finish(false)
end
if t.is_revoked then return nil end
local ended = end_takeover(t.user, a.locator, a.reason)
if not ended then return nil end
return finish({ t.user, ended[1], ended[2] })
