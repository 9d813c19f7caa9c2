-- Why a script: a user has one key of each uuid and no more than the limit, whoever else asks at the same time.
-- ARGV[2]  user, uuid, locator, expires_at, max; then the fields of the key's hash
-- Gives {0} when the user has too many, {1} when it was made, {2, locator, fields} of the one that was there.
local map = key('k', a.user)
local broken, kept = tidy_devices(a.user, redis.call('HLEN', map) >= a.max)
if broken then return broken end
local there
there, broken = find_device(a.user, a.uuid)
if broken then return broken end
if there then return { 2, there, redis.call('HGETALL', key('d', there)) } end
if redis.call('HLEN', map) >= a.max then return { 0 } end
redis.call('HSET', key('d', a.locator), unpack(ARGV, 3))
keep_device(a.user, a.uuid, a.locator, a.expires_at, kept)
emit(a.user, { k = 'device.created', d = a.uuid })
return finish({ 1 })
