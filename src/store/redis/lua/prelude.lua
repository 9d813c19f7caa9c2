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

-- What is now untrue in other slots: hints of tokens that ended, {locator, content type, object id} each, and of takeovers
-- that did, {token's locator, takeover's locator, user taken over} each.
local untrue_tokens, untrue_takeovers = {}, {}

-- Writes the noted events into the users' histories, newest first, and tells whoever listens. The last thing a script does.
-- Gives the answer; with what is untrue elsewhere, when there is any: {status HINTS, packed, answer}.
local function finish(answer)
  local users = {}
  for _, noted in ipairs(happened) do
    local user, event = noted[1], noted[2]
    -- What was done stands, and is told, though there be no history to write to: a key of another type is found by the
    -- next listing.
    if ctx.events > 0 and not users[user] then
      local pushed = redis.pcall('LPUSH', key('e', user), event)
      users[user] = type(pushed) == 'table' and 'none' or 'written'
    elseif users[user] == 'written' then
      redis.call('LPUSH', key('e', user), event)
    end
    redis.call('PUBLISH', ctx.channel, ctx.shard .. user .. '\0' .. event)
  end
  for user, history in pairs(users) do
    if history == 'written' then
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
-- One sorted set with two members per token:
--   <locator>    scored by the time (ms) until which the token is kept: its expiry, or the end of its retention
--   @<locator>   scored by minus its last access (ms); so all scores above zero are tokens

local function locators(user)
  return redis.call('ZRANGEBYSCORE', key('u', user), 0, '+inf')
end

local function forget(user, locator)
  redis.call('UNLINK', key('t', locator))
  redis.call('ZREM', key('u', user), locator, '@' .. locator)
end

-- Forgets what is past its time. The token goes with its entry: a late touch must not revive what no listing
-- and no ending of all of a user's tokens can see.
local function prune(user)
  for _, locator in ipairs(redis.call('ZRANGEBYSCORE', key('u', user), 0, now)) do
    forget(user, locator)
  end
end

-- For whoever has written to the index: what is past its time goes, and the index lives exactly as long as the
-- longest-lived of its tokens. A live token keeps the index for long, and nothing else removes the entries of those that
-- expired beside it.
local function settle(user)
  prune(user)
  local index = key('u', user)
  local last = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')
  if last[2] then redis.call('PEXPIRE', index, tonumber(last[2]) - now) end
end

---- Tokens ----

-- The token's flags; nil when it has none or they are garbled. EXISTS tells an absent token from a corrupt one.
local function read_flags(locator)
  return tonumber(redis.pcall('HGET', key('t', locator), 'f'))
end

-- A token that is kept: {user, flags, ended}. Else nil and nothing, or nil and the error that it is corrupt. One that is
-- past its time is forgotten.
local function find(locator)
  local token = key('t', locator)
  local t = redis.call('HMGET', token, 'u', 'f', 'x', 'e')
  local user, flags, expires_at, ended_at = t[1], tonumber(t[2]), tonumber(t[3]), tonumber(t[4])
  if not user and redis.call('EXISTS', token) == 0 then return nil end
  if not user then return nil, corrupt(token, 'u') end
  if not flags then return nil, corrupt(token, 'f') end
  if not expires_at then return nil, corrupt(token, 'x') end
  local active = is_active(flags)
  if not active and not ended_at then return nil, corrupt(token, 'e') end
  if (active and expires_at or ended_at + ctx.retention) <= now then
    forget(user, locator)
    return nil
  end
  return { user = user, flags = flags, expires_at = expires_at, ended = not active }
end

-- Everything of a token: {status, fields, last access}.
local function shown(status, user, locator)
  local last_access = redis.call('ZSCORE', key('u', user), '@' .. locator)
  return { status, redis.call('HGETALL', key('t', locator)), last_access }
end

---- Takeovers ----
--
-- The one under way is the token's field t: {its locator, the user taken over, its hard end, its beginning, the reason or ''}.
-- All of a token are one hash: u the token's owner, x the token's expiry, <locator> what never changes,
-- -<locator> when somebody ended it.

-- Ends the takeover of a token, if there is one. Whether it was still under way; a garbled one was not. A history of
-- another type keeps no takeover from ending.
local function end_takeover(user, locator, why)
  local packed = redis.call('HGET', key('t', locator), 't')
  if not packed then return false end
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

---- Ends ----

local function note_untrue_tokens(locator)
  local packed = redis.call('HGET', key('t', locator), 'r')
  for _, object in ipairs(packed and cmsgpack.unpack(packed) or {}) do
    table.insert(untrue_tokens, { locator, object[1], object[2] })
  end
end

local function end_token(user, locator, flags, why)
  -- First, because it fails where the index is of another type: then nothing has changed yet.
  redis.call('ZADD', key('u', user), now + ctx.retention, locator)
  end_takeover(user, locator, why)
  local token = key('t', locator)
  redis.call('HSET', token, 'f', bit.band(flags, bit.bnot(ACTIVE)), 'e', decimal(now))
  redis.call('PEXPIRE', token, ctx.retention)
  emit(user, { k = 'token.revoked', l = locator, w = why })
  -- A garbled list keeps no token from ending.
  pcall(note_untrue_tokens, locator)
end

-- Ends those of a user's active tokens that `wanted(locator)` picks. Gives their locators; or the error that a record is
-- corrupt, and then all others have ended.
local function end_tokens(user, why, wanted)
  prune(user)
  local ended, broken = {}, nil
  for _, locator in ipairs(locators(user)) do
    local flags = read_flags(locator)
    if flags and is_active(flags) and wanted(locator) then
      end_token(user, locator, flags, why)
      table.insert(ended, locator)
    elseif not flags and redis.call('EXISTS', key('t', locator)) == 1 then
      broken = key('t', locator)
    elseif not flags then
      forget(user, locator)
    end
  end
  settle(user)
  if broken then return corrupt(broken, 'f') end
  return ended
end

