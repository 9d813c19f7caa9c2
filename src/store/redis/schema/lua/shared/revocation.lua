-- Revoking tokens: one, or many of a user in steps. Needs takeovers.lua.

-- Collects the stale entries of fields r and q of a revoked token.
local function collect_stale_entries(locator, packed)
  for _, object in ipairs(packed and cmsgpack.unpack(packed) or {}) do
    table.insert(stale_token_entries, { locator, object[1], object[2], true })
  end
end

-- Revokes a token; `at_ms` is when, if not now.
local function revoke_token(user, locator, flags, reason, at_ms)
  local token, index = key('t', locator), key('u', user)
  at_ms = at_ms or now_ms
  -- First, because it fails if the index is of another type: then nothing has changed yet.
  redis.call('ZADD', index, REVOKED + at_ms + ctx.retention_ms, locator)
  local t = redis.call('HMGET', token, 't', 'r', 'q', 's', 'i', 'z')
  local facts = token_facts(t[4], t[5], t[6])
  if t[1] then end_packed_takeover(user, locator, t[1], reason, facts) end
  redis.call('HSET', token, 'f', bit.band(flags, bit.bnot(ACTIVE + LOCKED)), 'e', decimal(at_ms), 'w', reason)
  redis.call('ZREM', index, '#' .. locator)
  redis.call('PEXPIRE', token, ttl_ms(at_ms + ctx.retention_ms))
  emit(user, { k = 'token.revoked', l = locator, w = reason }, facts)
  -- A garbled list does not keep the token from being revoked.
  pcall(collect_stale_entries, locator, t[2])
  pcall(collect_stale_entries, locator, t[3])
end

-- The most tokens that one step goes through, and the number of their related objects at which it stops.
local STEP_TOKENS, STEP_OBJECTS = 100, 500

-- Runs one step of revoking the user's tokens for which `wanted(token, locator)` is true.
--
-- With few tokens, this step revokes all of them. With many, it revokes none: the caller then reads the locators of all
-- tokens that are not revoked, in one command, and passes them as `locators`, one step's worth per further call
-- (revoke_user_tokens.lua). That command fixes the set. A token outside it was issued after the revocation. A token in it
-- cannot escape: rotations and renewals keep the locator, so its step revokes it or finds it revoked or gone.
--
-- Returns {locators of the revoked tokens, locators still to go through, the key of a corrupt record or '', 1 if there are
-- many and nothing was done, else 0}.
local function revoke_tokens(user, reason, locators, wanted)
  local index = key('u', user)
  if not locators then
    if redis.call('ZCOUNT', index, 0, BELOW_REVOKED) > STEP_TOKENS then return { {}, {}, '', 1 } end
    locators = redis.call('ZRANGEBYSCORE', index, 0, BELOW_REVOKED)
  end
  local revoked, rest, corrupt_key = {}, {}, ''
  for at, locator in ipairs(locators) do
    if at > STEP_TOKENS or #stale_token_entries >= STEP_OBJECTS then
      table.insert(rest, locator)
    else
      local is_read, t, err = pcall(load_or_purge, locator, true)
      if not is_read or err then
        corrupt_key = key('t', locator)
      elseif not t then
        purge(user, locator)
      elseif t.is_expired and wanted(t, locator) then
        purge(user, locator)
      elseif not t.is_revoked and not t.is_expired and wanted(t, locator) then
        revoke_token(user, locator, t.flags, reason)
        table.insert(revoked, locator)
      end
    end
  end
  prune_and_fit_ttl(user)
  return { revoked, rest, corrupt_key, 0 }
end

