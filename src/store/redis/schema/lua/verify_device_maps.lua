-- Checks users' maps of device keys: TTL, and entries without a key.
-- Why a script: map and keys are compared as of one moment, and repaired in the same step.
-- Item     hash tag, user, uuid or '' for the TTL
-- See shared/verification.lua; needs devices.lua.

-- The map may live as long as a key that is no longer in it. It has at most max-devices-per-user entries.
local function check_ttl(position, map)
  local last_ms = 0
  for _, entry in ipairs(redis.call('HVALS', map)) do
    local _, expires_at_ms = split_entry(entry)
    last_ms = math.max(last_ms, expires_at_ms or 0)
  end
  local damage = ttl_damage(map, last_ms, nil)
  if not damage then return end
  if a.repair then set_ttl(map, last_ms - now_ms) end
  report(position, damage, a.repair)
end

for_each_item(3, function(position, user, uuid)
  local map = key('k', user)
  if uuid == '' then return check_ttl(position, map) end
  local entry = redis.call('HGET', map, uuid)
  if not entry then return end
  local locator, expires_at_ms = split_entry(entry)
  local damage
  if not expires_at_ms then
    damage = 'malformed-member'
  elseif expires_at_ms > now_ms + a.tolerance_ms then
    local device = redis.pcall('HMGET', key('d', locator), 'u', 'i')
    local is_right = is_foreign(device) or (device[1] == user and device[2] == uuid)
    damage = not is_right and 'map-entry-without-device-key' or nil
  end
  if not damage then return end
  if a.repair then redis.call('HDEL', map, uuid) end
  report(position, damage, a.repair)
end)
return found
