-- Adds a takeover to the reverse index of the user taken over.
-- Why a script: the key gets the TTL of its longest-lived entry.
-- KEYS     the user's takeovers
-- ARGV[2]  user           the user taken over
--          member         the token's id and the takeover's locator
--          kept_until_ms  until when the takeover is kept at most
--          max            the most entries of a user; those that are kept the shortest go
--          started_at_ms  in a merge, when the takeover began: a user who was erased since gets no entry
-- Returns 0.
if a.started_at_ms and a.started_at_ms <= (tonumber(redis.call('HGET', key('y', a.user), 'e')) or 0) then return 0 end
redis.call('ZADD', key('v', a.user), a.kept_until_ms, a.member)
prune_entries('v', a.user)
redis.call('ZREMRANGEBYRANK', key('v', a.user), 0, -1 - a.max)
fit_entries_ttl('v', a.user)
return 0
