-- Why a script: the last access is in the index of a user whom only the token names; so one round trip.
-- KEYS  1 token
-- ARGV  1 locator, 2 the index keys' common part, `dw:u:{s}:`
-- Gives {} or {all fields, score of the last access}.
local user = redis.call('HGET', KEYS[1], 'u')
if not user then
  if redis.call('EXISTS', KEYS[1]) == 1 then return corrupt(KEYS[1], 'u') end
  return {}
end
return { redis.call('HGETALL', KEYS[1]), redis.call('ZSCORE', ARGV[2] .. user, '@' .. ARGV[1]) }
