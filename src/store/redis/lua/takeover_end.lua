-- Why a script: the token stops acting and its history says since when, in one step.
-- ARGV[2]  locator, why
-- Gives 1 when one was under way, else 0.
local t, broken = find(a.locator)
if broken then return broken end
if not t or t.ended then return 0 end
if not end_takeover(t.user, a.locator, a.why) then return 0 end
return finish(1)
