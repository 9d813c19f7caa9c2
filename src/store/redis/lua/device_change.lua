-- Why a script: a key that is deactivated and the tokens it logged in end in one step, so that no login is in between.
-- ARGV[2]  user, uuid
--          active   whether it is to be; absent: as it is
--          name     '' as it is, '-' none, '=text' that
-- Gives {} when there is none, else {locator, fields, locators of the tokens it ended}.
-- Fails, before anything is written, where the index is of another type.
redis.call('ZCARD', key('u', a.user))
local kept, _, broken = devices_of(a.user)
if broken then return broken end
local locator = kept[a.uuid]
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
local ended = {}
if a.active == false then
  if is_active(flags) then
    redis.call('HSET', device, 'f', bit.band(flags, bit.bnot(ACTIVE)))
    emit(a.user, { k = 'device.ended', d = a.uuid })
  end
  ended = end_logged_in(a.user, a.uuid)
end
-- With a corrupt token all others have ended.
if ended.err then return finish(ended) end
return finish({ locator, redis.call('HGETALL', device), ended })
