-- Why a script: the key's TTL is that of the longest-lived hint in it.
-- ARGV[2]  user        the user taken over
--          hint        the token's id and the takeover's locator
--          kept_until  until when the takeover is kept at most, ms
--          most        the most hints of a user; those that are kept the shortest go
redis.call('ZADD', key('v', a.user), a.kept_until, a.hint)
prune_hints('v', a.user)
redis.call('ZREMRANGEBYRANK', key('v', a.user), 0, -1 - a.most)
fit_hints_ttl('v', a.user)
return 0
