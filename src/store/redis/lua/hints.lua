-- Shared by the scripts about hints; put after context.lua.
--
-- A hint is in another slot than what it is of: an object's tokens (r, token ids), the takeovers of a user (v, the token's id
-- and the takeover's locator). As in a user's index the score says until when it is kept at most, so that what is past its
-- time can be found. That of a token says also when it was written, within a cycle of twelve days:
--   v   kept until, ms
--   r   kept until, s, * CYCLE + written, s, modulo CYCLE; a double holds that exactly until the year 2242
local CYCLE = 2 ^ 20

local function seconds() return math.floor(now / 1000) end

-- The score of a token's hint that is written now.
local function score_of_token(kept_until)
  return math.ceil(kept_until / 1000) * CYCLE + seconds() % CYCLE
end

-- Whether a token's hint was written so many seconds ago, or more. A clock that is ahead of ours may have written it; so one
-- that is almost a cycle old is taken for one of the time to come.
local function is_older(score, age)
  local since = (seconds() - score) % CYCLE
  return since >= age and since <= CYCLE - age
end

-- Takes out what is past its time.
local function prune_hints(kind, name)
  local last_past = kind == 'r' and (seconds() + 1) * CYCLE - 1 or now
  redis.call('ZREMRANGEBYSCORE', key(kind, name), '-inf', last_past)
end

-- For whoever has written hints: what is past its time goes, and the key lives exactly as long as the longest-lived one.
local function settle_hints(kind, name)
  prune_hints(kind, name)
  local last = tonumber(redis.call('ZREVRANGE', key(kind, name), 0, 0, 'WITHSCORES')[2])
  if not last then return end
  local kept_until = kind == 'r' and math.floor(last / CYCLE) * 1000 or last
  redis.call('PEXPIRE', key(kind, name), kept_until - now)
end

