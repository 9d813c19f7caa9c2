-- Shared by every script; put before each of them when it is loaded (scripts.rs).
--
-- A user's index is one sorted set with two members per token:
--   <locator>    scored by the time (ms) until which the token is kept: its expiry, or the end of its retention
--   @<locator>   scored by minus its last access (ms); so all scores above zero are tokens
-- `prefix` is the token keys' common part, `dw:t:{s}:`. Token keys are made from it, not listed in KEYS: the
-- shard tag puts them into the index's own slot.

local ACTIVE = 1

local function corrupt(key, field)
  return redis.error_reply('DWCORRUPT ' .. key .. ' ' .. field)
end

local function is_active(flags)
  return bit.band(tonumber(flags) or 0, ACTIVE) ~= 0
end

-- The token's flags; nil when it has none or they are garbled. EXISTS tells an absent token from a corrupt one.
local function read_flags(key)
  return tonumber(redis.pcall('HGET', key, 'f'))
end

-- The index lives exactly as long as the longest-lived of its tokens.
local function fit_ttl(index, now)
  local last = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')
  if last[2] then redis.call('PEXPIRE', index, tonumber(last[2]) - now) end
end

local function forget(index, prefix, locator)
  redis.call('UNLINK', prefix .. locator)
  redis.call('ZREM', index, locator, '@' .. locator)
end

-- Forgets what is past its time. The token goes with its entry: a late touch must not revive what no listing
-- and no ending of all of a user's tokens can see.
local function prune(index, prefix, now)
  for _, locator in ipairs(redis.call('ZRANGEBYSCORE', index, 0, now)) do
    forget(index, prefix, locator)
  end
end

local function end_token(index, prefix, locator, flags, now, retention)
  local key = prefix .. locator
  redis.call('HSET', key, 'f', bit.band(tonumber(flags), bit.bnot(ACTIVE)), 'e', now)
  redis.call('ZADD', index, now + retention, locator)
  redis.call('PEXPIRE', key, retention)
end

