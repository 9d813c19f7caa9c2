-- Why a script: the limit of an object's tokens holds under concurrent logins.
-- ARGV[2]  object      the object's name in its key
--          token       the token's id
--          most        the most hints of an object
--          kept_until  the latest end that the token can have, ms
-- Gives 1, or 0 when the object has too many.
local hints = key('r', a.object)
prune_hints('r', a.object)
if not redis.call('ZSCORE', hints, a.token) and redis.call('ZCARD', hints) >= a.most then return 0 end
redis.call('ZADD', hints, score_of_token(a.kept_until), a.token)
fit_hints_ttl('r', a.object)
return 1
