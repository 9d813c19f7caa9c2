-- Checks device keys that are not corrupt: TTL, and the entry in the user's map.
-- Why a script: key and map are compared as of one moment, and repaired in the same step.
-- Item     hash tag, locator
-- See shared/verification.lua.

-- Returns whether the map names another existing key of this uuid: then it is not known which of the two is right.
local function is_contested(locator, entry)
  local other = entry and string.sub(entry, 1, #locator)
  return other and other ~= locator and redis.call('EXISTS', key('d', other)) == 1
end

local function check_entry(position, user, uuid, locator, expires_at_ms)
  local map, right = key('k', user), locator .. decimal(expires_at_ms)
  local entry = redis.pcall('HGET', map, uuid)
  if is_foreign(entry) or entry == right then return end
  local is_repaired = a.repair and not is_contested(locator, entry)
  if is_repaired then
    redis.call('HSET', map, uuid, right)
    -- GT sets nothing where there is no TTL yet.
    redis.call('PEXPIRE', map, expires_at_ms - now_ms, 'NX')
    redis.call('PEXPIRE', map, expires_at_ms - now_ms, 'GT')
  end
  report(position, 'device-key-not-in-map', is_repaired)
end

for_each_item(2, function(position, locator)
  local device = key('d', locator)
  local fields = redis.pcall('HMGET', device, 'u', 'i', 'x')
  if is_foreign(fields) then return end
  local user, uuid, expires_at_ms = fields[1], fields[2], tonumber(fields[3])
  if not user or not uuid or not expires_at_ms then return end
  if expires_at_ms > now_ms + a.tolerance_ms then check_entry(position, user, uuid, locator, expires_at_ms) end
  local damage = ttl_damage(device, expires_at_ms, expires_at_ms)
  if not damage then return end
  if a.repair then set_ttl(device, expires_at_ms - now_ms) end
  report(position, damage, a.repair)
end)
return found
