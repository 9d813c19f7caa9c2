-- The flag of a locked user's tokens. Needs tokens.lua.

-- Returns the locators of a user's tokens that get the flag. An expired token is among them: a renewal on its way may still be
-- written.
local function lockable_tokens(user) return redis.call('ZRANGEBYSCORE', key('u', user), 0, BELOW_REVOKED) end

-- Sets or clears the flag of these tokens. Returns the locators of those that changed.
local function flag_locked(locators, is_locked)
  local changed = {}
  for _, locator in ipairs(locators) do
    local token = key('t', locator)
    -- A corrupt record is refused without the flag.
    local flags = tonumber(redis.pcall('HGET', token, 'f'))
    local wanted = flags and (is_locked and bit.bor(flags, LOCKED) or bit.band(flags, bit.bnot(LOCKED)))
    if wanted ~= flags then
      redis.call('HSET', token, 'f', wanted)
      table.insert(changed, locator)
    end
  end
  return changed
end

