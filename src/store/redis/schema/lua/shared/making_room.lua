-- Making room for a new token. Needs issuing.lua and revocation.lua.

-- Revokes a user's oldest tokens, and purges the oldest revoked ones, until one more live token fits; at most new.room of
-- each. Returns the locators of those it revoked, and how many others there are; {full = true} if none may be revoked; or
-- an error if a record is corrupt.
local function make_room(user, new)
  prune(user)
  local index, made_room = key('u', user), {}
  local others = redis.call('ZCOUNT', index, 0, BELOW_REVOKED)
  if others >= new.max and ctx.grace_ms > 0 then
    -- A user at the limit keeps no expired tokens.
    purge_expired(user, now_ms)
    others = redis.call('ZCOUNT', index, 0, BELOW_REVOKED)
  end
  local revoked = redis.call('ZCOUNT', index, REVOKED, '+inf')
  if others >= new.max and not new.may_revoke then return { full = true } end
  for _ = 1, math.min(others + 1 - new.max, new.room) do
    local locator = oldest_token(user)
    local t, err = load_or_purge(locator)
    if err then return err end
    if t and not t.is_revoked then
      revoke_token(user, locator, t.flags, 'limit')
      table.insert(made_room, locator)
    else
      purge(user, locator)
    end
    others = others - 1
  end
  local surplus = math.min(revoked + #made_room - new.max, new.room)
  if surplus > 0 then
    purge(user, unpack(redis.call('ZRANGEBYSCORE', index, REVOKED, '+inf', 'LIMIT', 0, surplus)))
  end
  return made_room, others
end

-- Issues a token, and makes room for it. Returns {locked = true} if the user is locked, else the result of make_room.
local function issue(user, new, fields)
  local refused = refusal(user, new)
  if refused then return refused end
  local made_room, others = make_room(user, new)
  if made_room.err or made_room.full then return made_room end
  store(user, new, fields, others, false)
  return made_room
end
