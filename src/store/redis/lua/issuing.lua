-- Shared by the scripts that issue a token; put after the prelude.

local function by_time(x, y)
  if x.at ~= y.at then return x.at < y.at end
  return x.locator < y.locator
end

-- Ends a user's oldest live tokens and forgets the oldest ended ones until one more live one fits. Gives those it
-- ended; {full = true} when none may be ended for it; or the error that a record is corrupt.
local function make_room(user, max, may_end)
  local made_room = {}
  if redis.call('ZCARD', key('u', user)) / 2 < max then return made_room end
  -- An account at its limit keeps no expired tokens.
  forget_expired(user, now)
  local live, ended = {}, {}
  for _, other in ipairs(locators(user)) do
    local flags = read_flags(other)
    if flags then
      local field = is_active(flags) and 'c' or 'e'
      local at = tonumber(redis.call('HGET', key('t', other), field))
      if not at then return corrupt(key('t', other), field) end
      table.insert(is_active(flags) and live or ended, { locator = other, flags = flags, at = at })
    elseif redis.call('EXISTS', key('t', other)) == 1 then
      return corrupt(key('t', other), 'f')
    else
      forget(user, other)
    end
  end
  table.sort(live, by_time)
  if #live + 1 > max and not may_end then return { full = true } end
  for i = 1, #live + 1 - max do
    end_token(user, live[i].locator, live[i].flags, 'limit')
    table.insert(made_room, live[i].locator)
    table.insert(ended, { locator = live[i].locator, at = now })
  end
  table.sort(ended, by_time)
  for i = 1, #ended - max do forget(user, ended[i].locator) end
  return made_room
end

-- Keeps a new token of a user: `new` has locator, expires_at, max, may_end (whether the oldest may be ended for it) and
-- device; `fields` are those of its hash. Gives what make_room gives.
local function issue(user, new, fields)
  local token = key('t', new.locator)
  if redis.call('EXISTS', token) == 1 then
    return redis.error_reply('DWEXISTS the token id is taken')
  end
  prune(user)
  local made_room = make_room(user, new.max, new.may_end)
  if made_room.err or made_room.full then return made_room end
  redis.call('HSET', token, unpack(fields))
  redis.call('PEXPIRE', token, ttl(new.expires_at))
  redis.call('ZADD', key('u', user), new.expires_at, new.locator, -now, '@' .. new.locator)
  settle(user)
  emit(user, { k = 'token.issued', l = new.locator, d = new.device })
  return made_room
end

