-- Why a script: a user has one key of each uuid and no more than the limit, whoever else asks at the same time.
-- ARGV[2]  user, uuid, locator, expires_at, max; then the fields of the key's hash
-- Gives {0} when the user has too many, {1} when it was made, {2, locator, fields} of the one that was there.
local kept, count, broken = devices_of(a.user)
if broken then return broken end
local there = kept[a.uuid]
if there then return { 2, there, redis.call('HGETALL', key('d', there)) } end
if count >= a.max then return { 0 } end
redis.call('HSET', key('d', a.locator), unpack(ARGV, 3))
keep_device(a.user, a.uuid, a.locator, a.expires_at)
emit(a.user, { k = 'device.created', d = a.uuid })
return finish({ 1 })
