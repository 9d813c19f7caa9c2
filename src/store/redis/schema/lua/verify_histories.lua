-- Checks the TTL of tokens' takeovers.
-- Why a script: a takeover that starts meanwhile may lengthen the TTL, which a repair must not shorten.
-- Item     hash tag, the token's locator, the last hard end of its takeovers (ms)
-- Also in ARGV[2]: retention_ms, how long a takeover is kept after its hard end
-- See shared/verification.lua.
for_each_item(3, function(position, locator, last_ms)
  local history = key('o', locator)
  local damage = ttl_damage(history, tonumber(last_ms), nil)
  if not damage then return end
  if a.repair then set_ttl(history, tonumber(last_ms) + a.retention_ms - now_ms) end
  report(position, damage, a.repair)
end)
return found
