-- Adds a token to the reverse index of an object.
-- Why a script: the limit of tokens per object holds under concurrent logins.
-- KEYS     the object's tokens
-- ARGV[2]  object         the object's name in its key
--          token          the token's id
--          max            the most entries of an object
--          kept_until_ms  the latest expiry that the token can have
--          merges         true in a merge: an entry that is kept for longer stays as it is
-- Returns 1; 0 if the object has too many.
local entries = key('r', a.object)
prune_entries('r', a.object)
if not redis.call('ZSCORE', entries, a.token) and redis.call('ZCARD', entries) >= a.max then return 0 end
local score = token_entry_score(a.kept_until_ms)
if a.merges then
  redis.call('ZADD', entries, 'GT', score, a.token)
else
  redis.call('ZADD', entries, score, a.token)
end
fit_entries_ttl('r', a.object)
return 1
