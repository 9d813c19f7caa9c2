-- Writing a token's takeovers, dw:o; codec/takeover.rs describes them. Needs events.lua and reverse_index.lua.

-- Adds a token to the list of its user's tokens with takeovers, for an erasure: the histories outlive the tokens and their
-- index.
local function list_history(user, locator, kept_until_ms)
  redis.call('ZADD', key('a', user), 'GT', kept_until_ms, locator)
  prune_entries('a', user)
  fit_entries_ttl('a', user)
end

-- Adds a takeover to the history of its token: {locator, record, ends_at_ms}. `limits` has max, the most takeovers kept of a
-- token, and retention_ms, how long a takeover is kept after its hard end.
local function add_to_history(user, locator, expires_at_ms, takeover, limits)
  local history = key('o', locator)
  -- Field l names the takeovers, oldest first: those beyond the limit go.
  local packed = redis.call('HGET', history, 'l')
  local is_whole, locators = pcall(cmsgpack.unpack, packed)
  if not packed or not is_whole or type(locators) ~= 'table' then locators = {} end
  table.insert(locators, takeover.locator)
  while #locators > limits.max do
    local oldest = table.remove(locators, 1)
    redis.call('HDEL', history, oldest, '-' .. oldest)
  end
  redis.call('HSET', history, 'u', user, 'x', decimal(expires_at_ms), 'l', cmsgpack.pack(locators),
    takeover.locator, takeover.record)
  -- An earlier one may be kept for longer. GT sets nothing where there is no TTL yet.
  local left_ms = takeover.ends_at_ms - now_ms + limits.retention_ms
  redis.call('PEXPIRE', history, left_ms, 'NX')
  redis.call('PEXPIRE', history, left_ms, 'GT')
  list_history(user, locator, takeover.ends_at_ms + limits.retention_ms)
end

