-- A user's index, dw:u: its score ranges (see schema/mod.rs), pruning and TTL. Needs decimal.lua.

local OLDEST, REVOKED = -2 ^ 51, 2 ^ 50
local BELOW_REVOKED = '(' .. decimal(REVOKED)

-- How many expired entries of each range one write removes. Each login adds one entry and removes at least one expired one,
-- if there is any. So the entries of tokens that are not revoked never exceed max-tokens-per-user; when there are as many,
-- all of them are of live tokens.
local PRUNED_PER_WRITE = 8

-- Removes these tokens of a user together with their entries: a late touch must not revive a token that neither a listing
-- nor a revocation of all the user's tokens can see.
local function purge(user, ...)
  local tokens, members = {}, {}
  for at, locator in ipairs({ ... }) do
    tokens[at] = key('t', locator)
    members[3 * at - 2], members[3 * at - 1], members[3 * at] = locator, '@' .. locator, '#' .. locator
  end
  if #tokens == 0 then return end
  redis.call('UNLINK', unpack(tokens))
  redis.call('ZREM', key('u', user), unpack(members))
end

-- Returns the TTL of a key that is kept until then. An expired token is invisible, but it stays in Redis for the grace: a
-- node that could not reach the store may have renewals to write that were earned before the token expired.
local function ttl_ms(kept_until_ms) return kept_until_ms + ctx.grace_ms - now_ms end

-- Removes some of the tokens that had expired at `cutoff_ms`.
local function purge_expired(user, cutoff_ms)
  purge(user, unpack(redis.call('ZRANGEBYSCORE', key('u', user), 0, decimal(cutoff_ms), 'LIMIT', 0, PRUNED_PER_WRITE)))
end

-- Removes some of the tokens whose time and grace are past.
local function prune(user)
  local index, cutoff_ms = key('u', user), now_ms - ctx.grace_ms
  purge_expired(user, cutoff_ms)
  local past = decimal(REVOKED + cutoff_ms)
  purge(user, unpack(redis.call('ZRANGEBYSCORE', index, REVOKED, past, 'LIMIT', 0, PRUNED_PER_WRITE)))
end

-- Returns until when the longest-lived token of the index is kept; 0 without tokens.
local function longest_kept_ms(user)
  local index = key('u', user)
  local last_ms = tonumber(redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')[2]) or 0
  if last_ms < REVOKED then return last_ms end
  local live = redis.call('ZREVRANGEBYSCORE', index, BELOW_REVOKED, 0, 'WITHSCORES', 'LIMIT', 0, 1)
  return math.max(last_ms - REVOKED, tonumber(live[2]) or 0)
end

-- Gives the index the TTL of its longest-lived token.
local function fit_ttl(user)
  local left_ms = ttl_ms(longest_kept_ms(user))
  if left_ms > 0 then redis.call('PEXPIRE', key('u', user), decimal(left_ms)) end
end

-- Every script that wrote to the index calls this. A live token keeps the index for long, and nothing else removes the
-- entries of tokens that expired beside it.
local function prune_and_fit_ttl(user)
  prune(user)
  fit_ttl(user)
end

