-- Why a script: all of a user's tokens end in one step, so that none is issued or renewed in between. Its work
-- is bounded by max-tokens-per-user.
-- KEYS  1 the user's index
-- ARGV  1 now, 2 prefix, 3 retention, 4 the locator to spare, or ''
-- Gives the locators of the tokens it ended.
local index = KEYS[1]
local now, prefix, retention = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
prune(index, prefix, now)
local ended, broken = {}, nil
for _, locator in ipairs(redis.call('ZRANGEBYSCORE', index, 0, '+inf')) do
  local key = prefix .. locator
  local flags = read_flags(key)
  if flags and is_active(flags) and locator ~= ARGV[4] then
    end_token(index, prefix, locator, flags, now, retention)
    table.insert(ended, locator)
  elseif not flags and redis.call('EXISTS', key) == 1 then
    broken = key
  elseif not flags then
    forget(index, prefix, locator)
  end
end
fit_ttl(index, now)
-- Said only now: one corrupt record does not keep the others alive.
if broken then return corrupt(broken, 'f') end
return ended
