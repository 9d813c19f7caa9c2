-- Why a script: the list is read and written in one step.
-- ARGV[2]  locator
--          object   {content type, object id}
--          youth    how long an entry of the reverse index is young, ms
-- Gives 0 no token, 1 it does not have the object any more, 2 it has ended.
local t, broken = find(a.locator)
if broken then return broken end
if not t then return 0 end
if t.ended then return 2 end
local related, at = find_object(a.locator, a.object)
if at then
  table.remove(related, at)
  write_related(a.locator, related)
  note_taken(a.locator, a.object, true, a.youth)
end
return finish(1)
