-- Checks sets whose entries go by their score, dw:r, dw:v and dw:a: TTL, and malformed members.
-- Why a script: the TTL is compared with the members as of one moment, and repaired in the same step.
-- Item     hash tag, kind, name, malformed member or '' for the TTL
-- See shared/verification.lua; needs reverse_index.lua.

local function check_ttl(position, kind, name)
  local set = key(kind, name)
  local last = tonumber(redis.call('ZREVRANGE', set, 0, 0, 'WITHSCORES')[2]) or 0
  local last_ms = kind == 'r' and math.floor(last / CYCLE_S) * 1000 or last
  local damage = ttl_damage(set, last_ms, last_ms)
  if not damage then return end
  if a.repair then set_ttl(set, last_ms - now_ms) end
  report(position, damage, a.repair)
end

for_each_item(4, function(position, kind, name, member)
  if member == '' then return check_ttl(position, kind, name) end
  if not redis.call('ZSCORE', key(kind, name), member) then return end
  if a.repair then redis.call('ZREM', key(kind, name), member) end
  report(position, 'malformed-member', a.repair)
end)
return found
