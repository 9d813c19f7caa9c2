-- Why a script: only a live token gets an object, once, and never too many.
-- ARGV[2]  locator
--          object   {content type, object id}
--          most     the most objects of a token
--          youth    how long an entry of the reverse index is young, ms
-- Gives 0 no token, 1 done, 2 it has ended, 3 it has too many.
local t, broken = find(a.locator)
if broken then return broken end
if not t then return 0 end
if t.ended then return 2 end
local related, at = find_object(a.locator, a.object)
if at then return 1 end
if #related >= a.most then return 3 end
table.insert(related, a.object)
write_related(a.locator, related)
note_taken(a.locator, a.object, false, a.youth)
return finish(1)
