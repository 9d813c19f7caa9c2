-- Returns a user's device key with this uuid, or makes it.
-- Why a script: a user has one key per uuid and no more than the limit, even with concurrent calls.
-- KEYS     the user's map of device keys
-- ARGV[2]  user, uuid, locator, expires_at_ms
--          max        the most device keys of a user
--          event      the kind of the event
-- ARGV[3…] the fields of the key's hash
-- Returns {0} if the user has too many, {1} if it was made, {2, locator, fields} of the one that existed.
local map = key('k', a.user)
local err, kept = prune_devices(a.user, redis.call('HLEN', map) >= a.max)
if err then return err end
local existing
existing, err = locate_or_purge_device(a.user, a.uuid)
if err then return err end
if existing then return { 2, existing, redis.call('HGETALL', key('d', existing)) } end
if redis.call('HLEN', map) >= a.max then return { 0 } end
redis.call('HSET', key('d', a.locator), unpack(ARGV, 3))
keep_device(a.user, a.uuid, a.locator, a.expires_at_ms, kept)
emit(a.user, { k = a.event, d = a.uuid })
return finish({ 1 })
