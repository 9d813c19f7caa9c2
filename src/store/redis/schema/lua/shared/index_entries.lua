-- Adding a token to its user's index. Needs user_index.lua.

-- Returns the locator of the oldest of a user's tokens that are not revoked, and whether it has a # member.
local function oldest_token(user)
  local index = key('u', user)
  local first = redis.call('ZRANGE', index, 0, 0)[1]
  if first and string.sub(first, 1, 1) == '#' then return string.sub(first, 2), true end
  -- Only a user's single token has no # member.
  return redis.call('ZRANGEBYSCORE', index, 0, BELOW_REVOKED, 'LIMIT', 0, 1)[1], false
end

-- Adds the members of a token that is not revoked: {locator, created_at_ms, expires_at_ms}. `others` is the number of the
-- user's other tokens that are not revoked. The caller fits the TTL.
local function add_to_index(user, token, accessed_at_ms, others)
  local entries =
    { decimal(token.expires_at_ms), token.locator, decimal(-accessed_at_ms), '@' .. token.locator }
  if others > 0 then
    local other, has_age = oldest_token(user)
    if not has_age then
      -- The user's second token: both get a # member. A token without a creation time counts as the oldest.
      local created_at_ms = tonumber(redis.call('HGET', key('t', other), 'c')) or 0
      table.insert(entries, decimal(OLDEST + created_at_ms))
      table.insert(entries, '#' .. other)
    end
    table.insert(entries, decimal(OLDEST + token.created_at_ms))
    table.insert(entries, '#' .. token.locator)
  end
  redis.call('ZADD', key('u', user), unpack(entries))
end

