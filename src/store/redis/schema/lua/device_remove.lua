-- Why a script: a key is removed and the tokens it logged in are revoked in one step, so that no login is in between. Where
-- the tokens are many, the key is deactivated in this step, the tokens are revoked in further ones (end_tokens in
-- prelude.lua), and the last one removes the key. So if a step fails, a caller that repeats finds the key, and begins again.
-- ARGV[2]  user, uuid
--          swept  in the last step true; else absent
-- Gives {} when there is none, {0, what end_tokens gives} when there are more steps, {1, that} when it is removed.
-- Fails, before anything is written, where the index is of another type.
redis.call('ZCARD', key('u', a.user))
local broken, kept = tidy_devices(a.user)
if broken then return broken end
local locator
locator, broken = find_device(a.user, a.uuid)
if broken then return broken end
if not locator then return {} end
local device, ended = key('d', locator), { {}, {}, '', 0 }
local flags = tonumber(redis.call('HGET', device, 'f')) or ACTIVE
-- A key that was activated again meanwhile may have logged in more.
if is_active(flags) or not a.swept then
  ended = end_logged_in(a.user, a.uuid)
  if ended[4] == 1 or #ended[2] > 0 then
    redis.call('HSET', device, 'f', bit.band(flags, bit.bnot(ACTIVE)))
    return finish({ 0, ended })
  end
end
forget_device(a.user, a.uuid, locator)
if kept then
  kept[a.uuid] = nil
  fit_map_ttl(a.user, kept)
end
emit(a.user, { k = 'device.ended', d = a.uuid })
return finish({ 1, ended })
