-- Renames, activates or deactivates a device key.
-- Why a script: the key is deactivated and the tokens it logged in are revoked in one step, so that no login comes in
-- between. Many tokens are revoked in further steps (revoke_tokens in shared/revocation.lua); after this one, logins
-- with the key are refused.
-- KEYS     the user's map of device keys
-- ARGV[2]  user, uuid
--          active   whether the key is to be active; absent: keep it
--          name     '' to keep it, '-' to remove it, '=text' to set it
-- Returns {locator, fields, what revoke_tokens returns}; {} if there is no such key.
-- Fails if the index is of another type, before anything is written.
redis.call('ZCARD', key('u', a.user))
local err, kept = prune_devices(a.user)
if err then return err end
if kept then fit_map_ttl(a.user, kept) end
local locator
locator, err = locate_or_purge_device(a.user, a.uuid)
if err then return err end
if not locator then return {} end
local device, version_ms = key('d', locator), nil
local flags = tonumber(redis.call('HGET', device, 'f'))
if not flags then return corrupt(device, 'f') end

if a.name ~= '' or (a.active ~= nil and a.active ~= is_active(flags)) then
  -- The end of the key is known by its version.
  version_ms = write_version(device)
end
if a.name == '-' then
  redis.call('HDEL', device, 'n')
elseif a.name ~= '' then
  redis.call('HSET', device, 'n', string.sub(a.name, 2))
end
if a.active and not is_active(flags) then
  redis.call('HSET', device, 'f', bit.bor(flags, ACTIVE))
  emit(a.user, { k = 'device.activated', d = a.uuid })
end
local revoked = { {}, {}, '', 0 }
if a.active == false then
  if is_active(flags) then
    redis.call('HSET', device, 'f', bit.band(flags, bit.bnot(ACTIVE)))
    emit(a.user, { k = 'device.ended', d = a.uuid, y = locator, m = version_ms })
  end
  revoked = revoke_logged_in(a.user, a.uuid)
end
return finish({ locator, redis.call('HGETALL', device), revoked })
