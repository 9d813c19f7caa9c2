-- Shared by the scripts that issue a token; put after the prelude.

-- The locator of the oldest of a user's tokens that are not revoked, by its entry; and whether its entry says how old it is.
local function oldest(user)
  local index = key('u', user)
  local first = redis.call('ZRANGE', index, 0, 0)[1]
  if first and string.sub(first, 1, 1) == '#' then return string.sub(first, 2), true end
  -- Only when the user has just one.
  return redis.call('ZRANGEBYSCORE', index, 0, BELOW_REVOKED, 'LIMIT', 0, 1)[1], false
end

-- Revokes a user's oldest tokens and forgets the oldest revoked ones until one more live one fits, but at most new.room of
-- each. Gives those it revoked, and how many others there are; {full = true} when none may be revoked for it; or the error
-- that a record is corrupt.
local function make_room(user, new)
  prune(user)
  local index, made_room = key('u', user), {}
  local others = redis.call('ZCOUNT', index, 0, BELOW_REVOKED)
  if others >= new.max and ctx.grace > 0 then
    -- A user at the limit keeps no expired tokens.
    forget_expired(user, now)
    others = redis.call('ZCOUNT', index, 0, BELOW_REVOKED)
  end
  local revoked = redis.call('ZCOUNT', index, REVOKED, '+inf')
  if others >= new.max and not new.may_end then return { full = true } end
  for _ = 1, math.min(others + 1 - new.max, new.room) do
    local locator = oldest(user)
    local t, broken = find(locator)
    if broken then return broken end
    if t and not t.ended then
      end_token(user, locator, t.flags, 'limit')
      table.insert(made_room, locator)
    else
      forget(user, locator)
    end
    others = others - 1
  end
  local surplus = math.min(revoked + #made_room - new.max, new.room)
  if surplus > 0 then
    forget(user, unpack(redis.call('ZRANGEBYSCORE', index, REVOKED, '+inf', 'LIMIT', 0, surplus)))
  end
  return made_room, others
end

-- Keeps a new token of a user: `new` has locator, created_at, expires_at, max, may_end (whether the oldest may be revoked
-- for it), room and device; `fields` are those of its hash. Gives what make_room gives.
local function issue(user, new, fields)
  local token, index = key('t', new.locator), key('u', user)
  if redis.call('EXISTS', token) == 1 then
    return redis.error_reply('DWEXISTS the token id is taken')
  end
  local made_room, others = make_room(user, new)
  if made_room.err or made_room.full then return made_room end
  redis.call('HSET', token, unpack(fields))
  redis.call('PEXPIRE', token, ttl(new.expires_at))
  local entries = { new.expires_at, new.locator, -now, '@' .. new.locator }
  if others > 0 then
    local other, says_age = oldest(user)
    if not says_age then
      -- The second token: from here on the index knows their order. One whose record is not whole goes first.
      local created_at = tonumber(redis.call('HGET', key('t', other), 'c')) or 0
      table.insert(entries, OLDEST + created_at)
      table.insert(entries, '#' .. other)
    end
    table.insert(entries, OLDEST + new.created_at)
    table.insert(entries, '#' .. new.locator)
  end
  redis.call('ZADD', index, unpack(entries))
  fit_ttl(user)
  emit(user, { k = 'token.issued', l = new.locator, d = new.device })
  return made_room
end

