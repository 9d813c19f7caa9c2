-- Shared by the scripts that change something of a user; put after context.lua.

-- Numbers this large are not turned into text by themselves without loss.
local function decimal(number) return string.format('%.0f', number) end

-- Flags of a token, field f.
local ACTIVE, PENDING = 1, 16

local function is_active(flags) return bit.band(flags, ACTIVE) ~= 0 end

---- Events ----

-- What happened, to be written when the script ends: {{user, packed}, ...}
local happened = {}

-- Notes an event of a user: k what, l the token's locator, o the takeover's, u the user taken over, d the device, w why.
local function emit(user, event)
  event.t, event.a = now, ctx.actor
  table.insert(happened, { user, cmsgpack.pack(event) })
end

-- What is now untrue in other slots: hints of tokens, {locator, content type, object id, whether the token is revoked} each,
-- and of takeovers that ended, {token's locator, takeover's locator, user taken over} each.
local untrue_tokens, untrue_takeovers = {}, {}

-- Writes the noted events into the users' histories, newest first, and tells whoever listens. The last thing a script does.
-- Gives the answer; with what is untrue elsewhere, when there is any: {status HINTS, packed, answer}.
local function finish(answer)
  local of_users = {}
  for _, noted in ipairs(happened) do
    local user, event = noted[1], noted[2]
    of_users[user] = of_users[user] or {}
    table.insert(of_users[user], event)
    redis.call('PUBLISH', ctx.channel, ctx.shard .. user .. '\0' .. event)
  end
  for user, events in pairs(ctx.events > 0 and of_users or {}) do
    -- Events that the list would drop at once are only published. What was done stands, and is told, though there be no
    -- history to write to: a key of another type is found by the next listing.
    local first = math.max(1, #events - ctx.events + 1)
    local pushed = redis.pcall('LPUSH', key('e', user), unpack(events, first))
    if type(pushed) == 'number' then
      redis.call('LTRIM', key('e', user), 0, ctx.events - 1)
      redis.call('PEXPIRE', key('e', user), ctx.event_ttl)
    end
  end
  -- An error has no room for more: those hints stay until their time is past.
  local is_error = type(answer) == 'table' and answer.err
  if is_error or #untrue_tokens + #untrue_takeovers == 0 then return answer end
  return { { ok = 'HINTS' }, cmsgpack.pack({ untrue_tokens, untrue_takeovers }), answer }
end

---- A user's index ----
--
-- One sorted set. The members of a token have scores in ranges of their own, so that each question that a script asks is
-- one range or one count, however many tokens there are:
--   #<locator>   OLDEST + creation (ms), of a token that is not revoked, once the user has two of them. So the first
--                member of the set is that of the oldest token.
--   @<locator>   minus the last access (ms)
--   <locator>    until when the token is kept (ms): its expiry; of a revoked token REVOKED + the end of its retention
local OLDEST, REVOKED = -2 ^ 51, 2 ^ 50
local BELOW_REVOKED = '(' .. decimal(REVOKED)

-- How many entries past their time one write removes, of each of both ranges. Each login removes at least one, if there is
-- one, and adds one. So there are never more entries of tokens that are not revoked than max-tokens-per-user, and when
-- there are as many, all of them are of live tokens.
local PRUNED = 8

-- Removes these tokens of a user, and their entries with them: a late touch must not revive a token that no listing and no
-- revocation of all of a user's tokens can see.
local function forget(user, ...)
  local tokens, members = {}, {}
  for at, locator in ipairs({ ... }) do
    tokens[at] = key('t', locator)
    members[3 * at - 2], members[3 * at - 1], members[3 * at] = locator, '@' .. locator, '#' .. locator
  end
  if #tokens == 0 then return end
  redis.call('UNLINK', unpack(tokens))
  redis.call('ZREM', key('u', user), unpack(members))
end

-- How long a key stays that is kept until then. An expired token is found by nobody; but it stays for the grace, because a
-- node that could not reach the store may have renewals to write that were earned before the token expired.
local function ttl(kept_until) return kept_until + ctx.grace - now end

-- Removes some of the tokens that were past their expiry at `cutoff`.
local function forget_expired(user, cutoff)
  forget(user, unpack(redis.call('ZRANGEBYSCORE', key('u', user), 0, decimal(cutoff), 'LIMIT', 0, PRUNED)))
end

-- Removes some of the entries that are past their time and the grace after it.
local function prune(user)
  local index, cutoff = key('u', user), now - ctx.grace
  forget_expired(user, cutoff)
  forget(user, unpack(redis.call('ZRANGEBYSCORE', index, REVOKED, decimal(REVOKED + cutoff), 'LIMIT', 0, PRUNED)))
end

-- The index lives exactly as long as the longest-lived of its tokens.
local function fit_ttl(user)
  local index = key('u', user)
  local last = tonumber(redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')[2]) or 0
  if last >= REVOKED then
    local live = redis.call('ZREVRANGEBYSCORE', index, BELOW_REVOKED, 0, 'WITHSCORES', 'LIMIT', 0, 1)
    last = math.max(last - REVOKED, tonumber(live[2]) or 0)
  end
  if ttl(last) > 0 then redis.call('PEXPIRE', index, ttl(last)) end
end

-- For every script that wrote to the index. A live token keeps the index for long, and nothing else removes the entries of
-- tokens that expired beside it.
local function settle(user)
  prune(user)
  fit_ttl(user)
end

---- Tokens ----

-- A token that is kept: {user, flags, expires_at, ended, device}. Else nil and nothing, or nil and the error that it is
-- corrupt. One that is past its time is not found, and is forgotten after the grace. A revocation asks for it all the same,
-- and gets it with `expired`: a renewal on its way must not revive what was to be revoked.
local function find(locator, with_expired)
  local token = key('t', locator)
  local t = redis.call('HMGET', token, 'u', 'f', 'x', 'e', 'd')
  local user, flags, expires_at, ended_at = t[1], tonumber(t[2]), tonumber(t[3]), tonumber(t[4])
  if not user and redis.call('EXISTS', token) == 0 then return nil end
  if not user then return nil, corrupt(token, 'u') end
  if not flags then return nil, corrupt(token, 'f') end
  if not expires_at then return nil, corrupt(token, 'x') end
  local active = is_active(flags)
  if not active and not ended_at then return nil, corrupt(token, 'e') end
  local kept_until = active and expires_at or ended_at + ctx.retention
  local expired = kept_until <= now
  if ttl(kept_until) <= 0 then forget(user, locator) end
  if ttl(kept_until) <= 0 or (expired and not (with_expired and active)) then return nil end
  return { user = user, flags = flags, expires_at = expires_at, ended = not active, device = t[5], expired = expired }
end

-- Everything of a token: {status, fields, last access}.
local function shown(status, user, locator)
  local last_access = redis.call('ZSCORE', key('u', user), '@' .. locator)
  return { status, redis.call('HGETALL', key('t', locator)), last_access }
end

---- Takeovers ----
--
-- The one under way is the token's field t: {its locator, the user taken over, its hard end, its beginning, the reason or ''}.
-- All of a token are one hash: u the token's owner, x the token's expiry, l the takeovers' locators, the oldest first,
-- <locator> what never changes, -<locator> when somebody ended it.

-- Ends the takeover of a token, whose field t is `packed`. Whether it was still under way; a garbled one was not. A history
-- of another type keeps no takeover from ending.
local function end_packed_takeover(user, locator, packed, why)
  redis.call('HDEL', key('t', locator), 't')
  local is_whole, takeover = pcall(cmsgpack.unpack, packed)
  is_whole = is_whole and type(takeover) == 'table' and type(takeover[1]) == 'string'
    and type(takeover[3]) == 'number'
  if not is_whole or takeover[3] <= now then return false end
  -- A history that was lost does not come back from here, where nothing would give it a TTL.
  if redis.call('EXISTS', key('o', locator)) == 1 then
    redis.pcall('HSET', key('o', locator), '-' .. takeover[1], decimal(now))
  end
  emit(user, { k = 'takeover.ended', l = locator, o = takeover[1], u = takeover[2], w = why })
  table.insert(untrue_takeovers, { locator, takeover[1], takeover[2] })
  return true
end

-- Ends the takeover of a token, if there is one. Whether there was one, and still under way.
local function end_takeover(user, locator, why)
  local packed = redis.call('HGET', key('t', locator), 't')
  return packed and end_packed_takeover(user, locator, packed, why)
end

---- Revocations ----

-- Fields r and q of a token: its related objects, and those that were taken from it lately (related.lua).
local function note_untrue_tokens(locator, packed)
  for _, object in ipairs(packed and cmsgpack.unpack(packed) or {}) do
    table.insert(untrue_tokens, { locator, object[1], object[2], true })
  end
end

local function end_token(user, locator, flags, why)
  local token, index = key('t', locator), key('u', user)
  -- First, because it fails where the index is of another type: then nothing has changed yet.
  redis.call('ZADD', index, REVOKED + now + ctx.retention, locator)
  local t = redis.call('HMGET', token, 't', 'r', 'q')
  if t[1] then end_packed_takeover(user, locator, t[1], why) end
  redis.call('HSET', token, 'f', bit.band(flags, bit.bnot(ACTIVE)), 'e', decimal(now), 'w', why)
  redis.call('ZREM', index, '#' .. locator)
  redis.call('PEXPIRE', token, ttl(now + ctx.retention))
  emit(user, { k = 'token.revoked', l = locator, w = why })
  -- A garbled list keeps no token from being revoked.
  pcall(note_untrue_tokens, locator, t[2])
  pcall(note_untrue_tokens, locator, t[3])
end

-- What one step of a revocation of many tokens does at most: so many tokens, or a few more related objects than that.
local STEP_TOKENS, STEP_OBJECTS = 100, 500

-- Revokes those of a user's tokens that `wanted(token, locator)` picks: one step of it.
--
-- Of a user with few tokens it revokes all in this step. Of a user with many it revokes none: the caller then reads the
-- locators of all that are not revoked, in one command, and passes them as `some`, a step's worth in each further call
-- (end_user.lua). That command fixes the set. A token that is not in it was issued after the revocation. One of the set
-- cannot escape: no token becomes another one, and whatever happens to it meanwhile, its step finds it live and revokes it,
-- or finds it revoked or gone.
--
-- Gives {locators of those it revoked, locators still to be gone through, the key of a corrupt record or '', 1 when there
-- are many and it did nothing, else 0}.
local function end_tokens(user, why, some, wanted)
  local index = key('u', user)
  if not some then
    if redis.call('ZCOUNT', index, 0, BELOW_REVOKED) > STEP_TOKENS then return { {}, {}, '', 1 } end
    some = redis.call('ZRANGEBYSCORE', index, 0, BELOW_REVOKED)
  end
  local ended, rest, broken = {}, {}, ''
  for at, locator in ipairs(some) do
    if at > STEP_TOKENS or #untrue_tokens >= STEP_OBJECTS then
      table.insert(rest, locator)
    else
      local is_read, t, corruption = pcall(find, locator, true)
      if not is_read or corruption then
        broken = key('t', locator)
      elseif not t then
        forget(user, locator)
      elseif t.expired and wanted(t, locator) then
        forget(user, locator)
      elseif not t.ended and not t.expired and wanted(t, locator) then
        end_token(user, locator, t.flags, why)
        table.insert(ended, locator)
      end
    end
  end
  settle(user)
  return { ended, rest, broken, 0 }
end

