-- Why a script: all of a user's tokens end in one step, so that none is issued or renewed in between. Its work
-- is bounded by max-tokens-per-user.
-- KEYS  1 the user's index
-- ARGV  1 now, 2 prefix, 3 retention, 4 the locator to spare, or ''
-- Gives the locators of the tokens it ended.
local index = KEYS[1]
local now, prefix, retention = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
prune(index, prefix, now)
local ended = {}
for _, locator in ipairs(redis.call('ZRANGEBYSCORE', index, 0, '+inf')) do
  local flags = redis.call('HGET', prefix .. locator, 'f')
  if not flags then
    forget(index, prefix, locator)
  elseif is_active(flags) and locator ~= ARGV[4] then
    end_token(index, prefix, locator, flags, now, retention)
    table.insert(ended, locator)
  end
end
fit_ttl(index, now)
return ended
