-- Removes a device key, and revokes the tokens it logged in.
-- Why a script: both happen in one step, so that no login comes in between. With many tokens, this step deactivates the key,
-- further steps revoke the tokens (revoke_tokens in shared/revocation.lua), and a last call removes the key. If a step
-- fails, a caller that repeats the operation finds the key and starts again.
-- KEYS     the user's map of device keys
-- ARGV[2]  user, uuid
--          swept     true in the last call, when the tokens are revoked
--          trace_ms  how long a trace is kept (shared/traces.lua)
-- Returns {} if there is no such key, {0, what revoke_tokens returns} if there are more steps, {1, the same, the key's
-- locator} if the key is removed.
-- Fails if the index is of another type, before anything is written.
redis.call('ZCARD', key('u', a.user))
local err, kept = prune_devices(a.user)
if err then return err end
local locator
locator, err = locate_or_purge_device(a.user, a.uuid)
if err then return err end
if not locator then return {} end
local device, revoked = key('d', locator), { {}, {}, '', 0 }
local flags = tonumber(redis.call('HGET', device, 'f')) or ACTIVE
-- A key that was activated again meanwhile may have logged in more.
if is_active(flags) or not a.swept then
  revoked = revoke_logged_in(a.user, a.uuid)
  if revoked[4] == 1 or #revoked[2] > 0 then
    redis.call('HSET', device, 'f', bit.band(flags, bit.bnot(ACTIVE)))
    return finish({ 0, revoked })
  end
end
purge_device(a.user, a.uuid, locator)
leave_trace(locator, '')
if kept then
  kept[a.uuid] = nil
  fit_map_ttl(a.user, kept)
end
emit(a.user, { k = 'device.ended', d = a.uuid, y = locator })
return finish({ 1, revoked, locator })
