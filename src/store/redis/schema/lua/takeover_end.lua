-- Why a script: the token stops acting and its history says since when, in one step.
-- ARGV[2]  locator, why
-- Gives 1 when one was under way, else 0.
local t, broken = find(a.locator, true)
if broken then return broken end
if not t then return 0 end
if t.expired then
  -- Nobody finds an expired token, but no renewal on its way may revive its takeover.
  end_takeover(t.user, a.locator, a.why)
  return finish(0)
end
if t.ended then return 0 end
if not end_takeover(t.user, a.locator, a.why) then return 0 end
return finish(1)
