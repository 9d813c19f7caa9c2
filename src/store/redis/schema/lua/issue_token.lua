-- Issues a token to a user below the limits, as nearly all are: a smaller script than issue_token_at_limit.lua is a faster one.
-- Why a script: the token and its index entry appear together, and the limit per user holds under concurrent logins.
-- KEYS     the token
-- ARGV[2]  user
--          new   the token, see shared/issuing.lua
-- ARGV[3…] the fields of the token's hash
-- Returns {1, {}}; {2} if the user is locked; {3} if the user is at a limit: then no token was issued.
local user, new, index = a.user, a.new, key('u', a.user)
local refused = refusal(user, new)
if refused then return refused.locked and { 2 } or refused end
local members, others = redis.call('ZCARD', index), 0
if members > 0 then
  prune(user)
  others = redis.call('ZCOUNT', index, 0, BELOW_REVOKED)
  -- No user has more tokens than members.
  if members >= new.max then
    local revoked = redis.call('ZCOUNT', index, REVOKED, '+inf')
    if math.max(others, revoked) >= new.max then return { 3 } end
  end
end
store(user, new, { unpack(ARGV, 3) }, others, members == 0)
return finish({ 1, {} })
