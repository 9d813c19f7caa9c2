-- Why a script: a token that was taken from the object meanwhile must not end with it.
-- ARGV[2]  locator
--          object   {content type, object id}
-- Gives 1 when it ended the token, else 0.
local _, at = find_object(a.locator, a.object)
local t, broken = find(a.locator, at)
if broken then return broken end
if not t or t.ended or not at then return 0 end
end_token(t.user, a.locator, t.flags, 'related')
-- This object's hints go for all of its tokens together.
table.remove(untrue_tokens, at)
settle(t.user)
return finish(1)
