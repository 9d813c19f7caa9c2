-- Checks tokens' takeovers: TTL, and the entry in the list of the user's histories.
-- Why a script: a takeover that starts meanwhile may lengthen the TTL, which a repair must not shorten.
-- Item     hash tag, the token's locator, its user, the last hard end of its takeovers (ms)
-- Also in ARGV[2]: retention_ms, how long a takeover is kept after its hard end
-- See shared/verification.lua; needs takeover_history.lua.

local function check_listing(position, locator, user, last_ms)
  local score = redis.pcall('ZSCORE', key('a', user), locator)
  if is_foreign(score) or last_ms + a.retention_ms <= now_ms + a.tolerance_ms then return end
  -- The retention may have been another setting when it was written.
  if score and tonumber(score) >= last_ms then return end
  if a.repair then list_history(user, locator, last_ms + a.retention_ms) end
  report(position, 'history-not-listed', a.repair)
end

for_each_item(4, function(position, locator, user, last_ms)
  local history = key('o', locator)
  last_ms = tonumber(last_ms)
  if redis.call('EXISTS', history) == 0 then return end
  if user ~= '' then check_listing(position, locator, user, last_ms) end
  local damage = ttl_damage(history, last_ms, nil)
  if not damage then return end
  if a.repair then set_ttl(history, last_ms + a.retention_ms - now_ms) end
  report(position, damage, a.repair)
end)
return found
