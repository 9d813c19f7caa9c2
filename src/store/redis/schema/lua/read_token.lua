-- Reads a token with its last access.
-- Why a script: the last access is in the index of the user, whom only the token names. This takes one round trip.
-- KEYS     the token
-- ARGV[2]  locator
-- Returns {all fields, score of the last access}; {} if there is no such token.
local token = key('t', a.locator)
local user = redis.call('HGET', token, 'u')
if not user then
  if redis.call('EXISTS', token) == 1 then return corrupt(token, 'u') end
  return {}
end
return { redis.call('HGETALL', token), redis.call('ZSCORE', key('u', user), '@' .. a.locator) }
