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

-- How many entries past their time one write removes. It adds one at most, so they do not pile up.
local PRUNED = 8

-- Removes some of the entries that are past their time: they have the lowest scores.
local function prune_hints(kind, name)
  local last_past = kind == 'r' and (seconds() + 1) * CYCLE - 1 or now
  local past = redis.call('ZCOUNT', key(kind, name), '-inf', last_past)
  if past > 0 then redis.call('ZREMRANGEBYRANK', key(kind, name), 0, math.min(past, PRUNED) - 1) end
end

-- The key lives exactly as long as the longest-lived entry.
local function fit_hints_ttl(kind, name)
  local last = tonumber(redis.call('ZREVRANGE', key(kind, name), 0, 0, 'WITHSCORES')[2]) or 0
  local kept_until = kind == 'r' and math.floor(last / CYCLE) * 1000 or last
  if kept_until > now then redis.call('PEXPIRE', key(kind, name), kept_until - now) end
end

