-- Adds an imported device key to the reverse index of its uuid, or keeps its entry for longer.
-- Why a script: the limit of device keys per uuid holds under concurrent imports.
-- KEYS     the imported device keys of the uuid
-- ARGV[2]  uuid           the name of the uuid in the key
--          device         the device key's id
--          max            the most entries of a uuid
--          kept_until_ms  until when the device key is kept
-- Returns 1; 0 if the uuid has too many.
local entries = key('g', a.uuid)
prune_entries('g', a.uuid)
local others = redis.call('ZCOUNT', entries, '(' .. string.format('%.0f', now_ms), '+inf')
if not redis.call('ZSCORE', entries, a.device) and others >= a.max then return 0 end
redis.call('ZADD', entries, 'GT', a.kept_until_ms, a.device)
fit_entries_ttl('g', a.uuid)
return 1
