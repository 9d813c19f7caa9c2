-- Why a script: a token that was taken from the object meanwhile must not end with it.
-- ARGV[2]  locator
--          object   {content type, object id}
-- Gives 1 when it revoked the token, 0 when that was revoked before, 2 when there is no such token or it does not name the
-- object.
local t, broken = find(a.locator, true)
if broken then return broken end
if not t then return 2 end
if t.ended then return 0 end
local _, at = find_object(a.locator, a.object)
if not at then return 2 end
if t.expired then
  forget(t.user, a.locator)
  fit_ttl(t.user)
  return 2
end
end_token(t.user, a.locator, t.flags, 'related')
-- This object's entries go for all of its tokens together. Those of the objects it names come first.
table.remove(untrue_tokens, at)
settle(t.user)
return finish(1)
