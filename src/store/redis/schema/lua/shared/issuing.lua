-- Storing a new token. Needs index_entries.lua.
--
-- `new` is the token: locator, created_at_ms, accessed_at_ms, expires_at_ms, max (live tokens per user), may_revoke (whether
-- the oldest may be revoked for it), room, event (its kind), device and facts (of events).

-- Returns whether a user is locked: then the user gets no token.
local function is_locked(user) return redis.call('EXISTS', key('l', user)) == 1 end

-- Returns an answer if the user must not get this token: {locked = true}, or an error if its id is taken.
local function refusal(user, new)
  if redis.call('EXISTS', key('t', new.locator), key('l', user)) == 0 then return nil end
  if is_locked(user) then return { locked = true } end
  return redis.error_reply('DWEXISTS the token id is taken')
end

-- Stores a new token; `fields` are the fields of its hash. `others` is the number of the user's other tokens that are not
-- revoked, and `is_first` is whether the user has no token at all, not even a revoked one.
local function store(user, new, fields, others, is_first)
  local token, left_ms = key('t', new.locator), decimal(ttl_ms(new.expires_at_ms))
  redis.call('HSET', token, unpack(fields))
  redis.call('PEXPIRE', token, left_ms)
  add_to_index(user, new, new.accessed_at_ms, others)
  if is_first then
    redis.call('PEXPIRE', key('u', user), left_ms)
  else
    fit_ttl(user)
  end
  emit(user, { k = new.event, l = new.locator, d = new.device }, new.facts)
end
