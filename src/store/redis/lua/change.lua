-- Why a script: only a live token may be changed, and an ending moves its index entry with it.
-- KEYS  1 token
-- ARGV  1 now, 2 prefix, 3 locator, 4 the index keys' common part, 5 retention,
--       6 '1' to end it, 7 flags to clear, 8 flags to set, 9 the slug: '' as it is, '-' none, '=text' that
-- Gives {0} for none, {1, fields, last access} when done, {2, fields, last access} when it was ended before.
local token = KEYS[1]
local now, prefix, locator, retention = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[5])
local t = redis.call('HMGET', token, 'u', 'f', 'x', 'e')
local user, flags, expires_at, ended_at = t[1], tonumber(t[2]), tonumber(t[3]), tonumber(t[4])
if not user and redis.call('EXISTS', token) == 0 then return { 0 } end
if not user then return corrupt(token, 'u') end
if not flags then return corrupt(token, 'f') end
if not expires_at then return corrupt(token, 'x') end
local index = ARGV[4] .. user

local function answer(status)
  return { status, redis.call('HGETALL', token), redis.call('ZSCORE', index, '@' .. locator) }
end

local active = is_active(flags)
if not active and not ended_at then return corrupt(token, 'e') end
local kept_until = active and expires_at or ended_at + retention
if kept_until <= now then
  forget(index, prefix, locator)
  return { 0 }
end
if not active then return answer(2) end

flags = bit.bor(bit.band(flags, bit.bnot(tonumber(ARGV[7]))), tonumber(ARGV[8]))
if flags ~= tonumber(t[2]) then redis.call('HSET', token, 'f', flags) end
if ARGV[9] == '-' then
  redis.call('HDEL', token, 's')
elseif ARGV[9] ~= '' then
  redis.call('HSET', token, 's', string.sub(ARGV[9], 2))
end
if ARGV[6] == '1' then
  end_token(index, prefix, locator, flags, now, retention)
  fit_ttl(index, now)
end
return answer(1)
