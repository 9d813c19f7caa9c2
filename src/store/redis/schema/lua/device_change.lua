-- Why a script: a key is deactivated and the tokens it logged in are revoked in one step, so that no login is in between.
-- Where the tokens are many, they are revoked in further steps (end_tokens in prelude.lua); no login by the key comes after
-- this one.
-- ARGV[2]  user, uuid
--          active   whether it is to be; absent: as it is
--          name     '' as it is, '-' none, '=text' that
-- Gives {} when there is none, else {locator, fields, what end_tokens gives}.
-- Fails, before anything is written, where the index is of another type.
redis.call('ZCARD', key('u', a.user))
local broken, kept = tidy_devices(a.user)
if broken then return broken end
if kept then fit_map_ttl(a.user, kept) end
local locator
locator, broken = find_device(a.user, a.uuid)
if broken then return broken end
if not locator then return {} end
local device = key('d', locator)
local flags = tonumber(redis.call('HGET', device, 'f'))
if not flags then return corrupt(device, 'f') end

if a.name == '-' then
  redis.call('HDEL', device, 'n')
elseif a.name ~= '' then
  redis.call('HSET', device, 'n', string.sub(a.name, 2))
end
if a.active and not is_active(flags) then
  redis.call('HSET', device, 'f', bit.bor(flags, ACTIVE))
  emit(a.user, { k = 'device.activated', d = a.uuid })
end
local ended = { {}, {}, '', 0 }
if a.active == false then
  if is_active(flags) then
    redis.call('HSET', device, 'f', bit.band(flags, bit.bnot(ACTIVE)))
    emit(a.user, { k = 'device.ended', d = a.uuid })
  end
  ended = end_logged_in(a.user, a.uuid)
end
return finish({ locator, redis.call('HGETALL', device), ended })
