-- Why a script: the token and its index entry appear together, and the limit per user holds under concurrent
-- logins.
-- KEYS  1 token, 2 the user's index
-- ARGV  1 now, 2 prefix, 3 locator, 4 expires_at, 5 retention, 6 the most tokens a user has, 7… the token's fields
-- Gives the locators of the tokens it ended to make room.
local token, index = KEYS[1], KEYS[2]
local now, prefix, locator, expires_at = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local retention, max = tonumber(ARGV[5]), tonumber(ARGV[6])

local function by_time(a, b)
  if a.at ~= b.at then return a.at < b.at end
  return a.locator < b.locator
end

-- Ends the oldest live tokens and forgets the oldest ended ones until one more live one fits. Gives those it
-- ended, or the error that a record is corrupt.
local function make_room()
  local made_room = {}
  if redis.call('ZCARD', index) / 2 < max then return made_room end
  local live, ended = {}, {}
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', index, 0, '+inf')) do
    local key = prefix .. other
    local flags = read_flags(key)
    if flags then
      local field = is_active(flags) and 'c' or 'e'
      local at = tonumber(redis.call('HGET', key, field))
      if not at then return corrupt(key, field) end
      table.insert(is_active(flags) and live or ended, { locator = other, flags = flags, at = at })
    elseif redis.call('EXISTS', key) == 1 then
      return corrupt(key, 'f')
    else
      forget(index, prefix, other)
    end
  end
  table.sort(live, by_time)
  for i = 1, #live + 1 - max do
    end_token(index, prefix, live[i].locator, live[i].flags, now, retention)
    table.insert(made_room, live[i].locator)
    table.insert(ended, { locator = live[i].locator, at = now })
  end
  table.sort(ended, by_time)
  for i = 1, #ended - max do forget(index, prefix, ended[i].locator) end
  return made_room
end

if redis.call('EXISTS', token) == 1 then
  return redis.error_reply('DWEXISTS the token id is taken')
end
prune(index, prefix, now)
local made_room = make_room()
if made_room.err then return made_room end
redis.call('HSET', token, unpack(ARGV, 7))
redis.call('PEXPIRE', token, expires_at - now)
redis.call('ZADD', index, expires_at, locator, -now, '@' .. locator)
fit_ttl(index, now)
return made_room
