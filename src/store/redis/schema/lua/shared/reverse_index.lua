-- Entries that go by their score: of an object's tokens, dw:r; of the takeovers of a user, dw:v; of the tokens by which a
-- user took others over, dw:a. Scores in schema/mod.rs. Needs context.lua only.

-- A token's entry was written at a time that is known modulo this: twelve days, in seconds.
local CYCLE_S = 2 ^ 20

local function now_s() return math.floor(now_ms / 1000) end

-- Returns the score of a token's entry that is written now. A double holds it exactly until the year 2242.
local function token_entry_score(kept_until_ms)
  return math.ceil(kept_until_ms / 1000) * CYCLE_S + now_s() % CYCLE_S
end

-- Returns whether a token's entry was written at least so many seconds ago. A node whose clock is ahead may have written it,
-- so an entry that seems almost a cycle old counts as one from the future.
local function is_older(score, age_s)
  local since_s = (now_s() - score) % CYCLE_S
  return since_s >= age_s and since_s <= CYCLE_S - age_s
end

-- How many expired entries one write removes. It adds at most one, so they do not pile up.
local PRUNED_PER_WRITE = 8

-- Removes some of the expired entries: they have the lowest scores.
local function prune_entries(kind, name)
  local last_past = kind == 'r' and (now_s() + 1) * CYCLE_S - 1 or now_ms
  local past = redis.call('ZCOUNT', key(kind, name), '-inf', last_past)
  if past > 0 then redis.call('ZREMRANGEBYRANK', key(kind, name), 0, math.min(past, PRUNED_PER_WRITE) - 1) end
end

-- Gives the key the TTL of its longest-lived entry.
local function fit_entries_ttl(kind, name)
  local last = tonumber(redis.call('ZREVRANGE', key(kind, name), 0, 0, 'WITHSCORES')[2]) or 0
  local kept_until_ms = kind == 'r' and math.floor(last / CYCLE_S) * 1000 or last
  if kept_until_ms > now_ms then redis.call('PEXPIRE', key(kind, name), kept_until_ms - now_ms) end
end

