-- Why a script: the limit of an object's tokens holds under concurrent logins.
-- ARGV[2]  object   the object's name in its key
--          token    the token's id
--          most     the most hints of an object
--          ttl      how long this one can be needed, ms
-- Gives 1, or 0 when the object has too many.
local hints = key('r', a.object)
if not redis.call('ZSCORE', hints, a.token) and redis.call('ZCARD', hints) >= a.most then return 0 end
redis.call('ZADD', hints, now, a.token)
-- Another one may be needed for longer. GT sets nothing where there is no TTL yet.
redis.call('PEXPIRE', hints, a.ttl, 'NX')
redis.call('PEXPIRE', hints, a.ttl, 'GT')
return 1
