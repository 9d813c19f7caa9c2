-- Why a script: an access must never revive a token that was ended or expired meanwhile, so the test and the
-- write are one step.
-- KEYS  2 per touch: token, the user's index
-- ARGV  1 now, then 3 per touch: locator, access, the expiry it earned or ''
local now = tonumber(ARGV[1])

local function touch(token, index, locator, access, renew_to)
  local t = redis.call('HMGET', token, 'f', 'x')
  if not t[1] and not t[2] then return end
  local flags, expires_at = tonumber(t[1]), tonumber(t[2])
  if not flags or not expires_at then error('corrupt') end
  if not is_active(flags) or expires_at <= access then return end
  -- XX: an index that was lost does not come back from here, where nothing would give it a TTL.
  redis.call('ZADD', index, 'XX', 'LT', -access, '@' .. locator)
  if renew_to and renew_to > expires_at and renew_to > now then
    redis.call('HSET', token, 'x', renew_to)
    redis.call('PEXPIRE', token, renew_to - now)
    redis.call('ZADD', index, renew_to, locator)
    fit_ttl(index, now)
  end
end

-- One corrupt record must not cost all others in the batch their renewal.
local broken
for i = 1, #KEYS / 2 do
  local token = KEYS[2 * i - 1]
  local ok = pcall(touch, token, KEYS[2 * i], ARGV[3 * i - 1], tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1]))
  if not ok then broken = broken or token end
end
if broken then return corrupt(broken, 'touched') end
return 0
