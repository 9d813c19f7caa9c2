-- Revokes tokens whose revocation a node remembers.
-- Why a script: a token that is not there must not be created by the next node, so the check and the trace are one step.
-- KEYS     one of the tokens; all hash tags of a call are in one slot
-- ARGV[2]  tokens    {hash tag, locator, when it was revoked (ms), why} each
--          trace_ms  how long a trace is kept
--          least_ms  a revoked token that is kept for less than this leaves a trace, too
-- Returns {how many tokens were live, how many are corrupt, {{hash tag, packed stale entries}, ...}}.

-- Users whose index was written, by index: {hash tag, user}.
local written, stale = {}, {}

-- Returns whether the token was live.
local function merge(hash_tag, locator, at_ms, reason)
  ctx.hash_tag = hash_tag
  local t = redis.call('HMGET', key('t', locator), 'u', 'f', 'e')
  local user, flags, revoked_at_ms = t[1], tonumber(t[2]), tonumber(t[3])
  if not user or (revoked_at_ms or at_ms) + ctx.retention_ms < now_ms + a.least_ms then leave_trace(locator, '') end
  if not user or revoked_at_ms then return false end
  if not flags then error('corrupt') end
  revoke_token(user, locator, flags, reason, at_ms)
  written[key('u', user)] = { hash_tag, user }
  if #stale_token_entries + #stale_takeover_entries > 0 then
    table.insert(stale, { hash_tag, cmsgpack.pack({ stale_token_entries, stale_takeover_entries }) })
    stale_token_entries, stale_takeover_entries = {}, {}
  end
  return true
end

local revoked, corrupt_tokens = 0, 0
for _, token in ipairs(a.tokens) do
  -- One corrupt record must not keep the others from being revoked.
  local is_merged, was_live = pcall(merge, unpack(token))
  if not is_merged then corrupt_tokens = corrupt_tokens + 1 end
  if is_merged and was_live then revoked = revoked + 1 end
end
for _, w in pairs(written) do
  ctx.hash_tag = w[1]
  prune_and_fit_ttl(w[2])
end
return { revoked, corrupt_tokens, stale }
