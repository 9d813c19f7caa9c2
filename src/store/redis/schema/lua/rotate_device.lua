-- Gives a device key a new login token.
-- Why a script: a key that is deactivated or removed meanwhile gets none, and the old login token is refused from this step
-- on.
-- KEYS     the user's map of device keys
-- ARGV[2]  user, uuid
--          locator   the key's: the hash of the new secret is bound to it
-- ARGV[3]  hash of the new secret
-- Returns {} if there is no such key, {0} if it is inactive, {1, locator, fields}.

-- A flag of a device key, field f: its login token is of a former system.
local FOREIGN = 2

local err, kept = prune_devices(a.user)
if err then return err end
if kept then fit_map_ttl(a.user, kept) end
local locator
locator, err = locate_or_purge_device(a.user, a.uuid)
if err then return err end
-- Another locator: the key was removed and made again since the caller read it.
if locator ~= a.locator then return {} end
local device = key('d', locator)
local flags = tonumber(redis.call('HGET', device, 'f'))
if not flags then return corrupt(device, 'f') end
if not is_active(flags) then return { 0 } end
redis.call('HSET', device, 'h', ARGV[3], 'f', bit.band(flags, bit.bnot(FOREIGN)))
redis.call('HDEL', device, 'g')
write_version(device)
emit(a.user, { k = 'device.rotated', d = a.uuid })
return finish({ 1, locator, redis.call('HGETALL', device) })
