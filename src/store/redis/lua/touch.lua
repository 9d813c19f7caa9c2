-- Why a script: an access must never revive a token that was ended or expired meanwhile, so the test and the
-- write are one step.
-- KEYS  2 per touch: token, the user's index
-- ARGV  1 now, then 3 per touch: locator, access, the expiry it earned or ''
local now = tonumber(ARGV[1])
for i = 1, #KEYS / 2 do
  local token, index = KEYS[2 * i - 1], KEYS[2 * i]
  local locator, access, renew_to = ARGV[3 * i - 1], tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local t = redis.call('HMGET', token, 'f', 'x')
  local expires_at = tonumber(t[2])
  if is_active(t[1]) and expires_at and expires_at > access then
    redis.call('ZADD', index, 'LT', -access, '@' .. locator)
    if renew_to and renew_to > expires_at and renew_to > now then
      redis.call('HSET', token, 'x', renew_to)
      redis.call('PEXPIRE', token, renew_to - now)
      redis.call('ZADD', index, renew_to, locator)
      fit_ttl(index, now)
    end
  end
end
return 0
