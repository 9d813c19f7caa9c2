-- Checks users' indexes: TTL, and members that name no token of the user.
-- Why a script: index and records are compared as of one moment, and repaired in the same step.
-- Item     hash tag, user, member or '' for the TTL, '1' if the member is malformed
-- See shared/verification.lua.

local function check_ttl(position, user)
  local last_ms = longest_kept_ms(user)
  local damage = ttl_damage(key('u', user), last_ms, last_ms + a.longest_grace_ms)
  if not damage then return end
  if a.repair then set_ttl(key('u', user), ttl_ms(last_ms)) end
  report(position, damage, a.repair)
end

-- Returns whether the record exists and is this user's; a record that cannot be read counts.
local function has_record(user, locator)
  local owner = redis.pcall('HGET', key('t', locator), 'u')
  if owner == false then return redis.call('EXISTS', key('t', locator)) == 1 end
  return is_foreign(owner) or owner == user
end

-- An entry may outlive its expired token. Any other names a token that exists.
local function is_left_over(score)
  local kept_until_ms = score >= REVOKED and score - REVOKED or score
  return score >= 0 and kept_until_ms <= now_ms + a.tolerance_ms
end

for_each_item(4, function(position, user, member, is_malformed)
  local index = key('u', user)
  if member == '' then return check_ttl(position, user) end
  local score = tonumber(redis.call('ZSCORE', index, member))
  if not score then return end
  if is_malformed == '1' then
    if a.repair then redis.call('ZREM', index, member) end
    return report(position, 'malformed-member', a.repair)
  end
  local locator = string.match(member, '^[@#]?(.*)$')
  if has_record(user, locator) then return end
  if locator == member then
    -- The entry of another user's token is damage at any time.
    if redis.call('EXISTS', key('t', locator)) == 0 and is_left_over(score) then return end
    if a.repair then redis.call('ZREM', index, locator, '@' .. locator, '#' .. locator) end
  else
    -- The entry itself is checked with its two other members.
    if redis.call('ZSCORE', index, locator) then return end
    if a.repair then redis.call('ZREM', index, member) end
  end
  report(position, 'member-without-token', a.repair)
end)
return found
