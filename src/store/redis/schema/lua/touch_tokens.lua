-- Writes last accesses and renewals of many tokens.
-- Why a script: an access must not revive a token that was revoked or expired meanwhile, so the check and the write are one
-- step. A renewal reaches at most as far as the record's own terms let its access reach: they may have been shortened after
-- the access.
-- KEYS     one of the tokens; all hash tags of a call are in one slot
-- ARGV[2]  touches   {hash tag, locator, user, access, since, earned expiry or 0} each, times in ms. While the store was
--                    away, each access was in time by the renewal that the previous one had earned. `since` is the first
--                    access of such a chain: the token must have been live then.
-- Returns 0; an error if one of the records is corrupt, after all others were written.

-- Users whose index was written, by index: {hash tag, user}.
local renewed = {}

local function touch(hash_tag, locator, user, access_ms, since_ms, renew_to_ms)
  ctx.hash_tag = hash_tag
  local token, index = key('t', locator), key('u', user)
  local t = redis.call('HMGET', token, 'f', 'x', 'i')
  if not t[1] and not t[2] then return end
  local flags, expires_at_ms = tonumber(t[1]), tonumber(t[2])
  if not flags or not expires_at_ms then error('corrupt') end
  if not is_active(flags) or expires_at_ms <= since_ms then return end
  if renew_to_ms > expires_at_ms then
    local terms = unpack_terms(t[3])
    if not terms then error('corrupt') end
    renew_to_ms = math.min(renew_to_ms, access_ms + terms.idle_ms, terms.ends_at_ms)
  end
  -- XX: a lost index is not created again here, where it would get no TTL.
  redis.call('ZADD', index, 'XX', 'LT', -access_ms, '@' .. locator)
  if renew_to_ms > expires_at_ms and renew_to_ms > now_ms then
    write_expiry(user, locator, renew_to_ms)
    renewed[index] = { hash_tag, user }
  end
end

-- One corrupt record must not cost all others in the batch their renewal.
local corrupt_key
for _, t in ipairs(a.touches) do
  local hash_tag, locator = t[1], t[2]
  local ok = pcall(touch, hash_tag, locator, t[3], t[4], t[5], t[6])
  if not ok then corrupt_key = corrupt_key or key('t', locator) end
end
-- Last, so that a late touch of an access in time reaches its token before the token is pruned.
for _, r in pairs(renewed) do
  ctx.hash_tag = r[1]
  prune_and_fit_ttl(r[2])
end
if corrupt_key then return corrupt(corrupt_key, 'touched') end
return 0
