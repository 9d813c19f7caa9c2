-- Why a script: the last access is in the index of a user whom only the token names; so one round trip.
-- ARGV[2]  locator
-- Gives {} or {all fields, score of the last access}.
local token = key('t', a.locator)
local user = redis.call('HGET', token, 'u')
if not user then
  if redis.call('EXISTS', token) == 1 then return corrupt(token, 'u') end
  return {}
end
return { redis.call('HGETALL', token), redis.call('ZSCORE', key('u', user), '@' .. a.locator) }
