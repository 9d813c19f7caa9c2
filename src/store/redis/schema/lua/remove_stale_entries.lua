-- Removes stale entries from the reverse index, and shortens the entries of takeovers that have ended.
-- Why a script: an entry that was written again meanwhile stays, and the key gets the TTL of its longest-lived entry.
-- KEYS     the key of one of the entries; all hash tags of a call are in one slot
-- ARGV[2]  tokens     {hash tag, object's name in its key, token's id, whether the token is revoked} each: removed; but if
--                     the token is not revoked, only an entry of at least this age:
--          young_s    how long an entry is young
--          takeovers  {hash tag, user taken over, member, until when the takeover is kept, ms; 0 if it is gone} each
-- Returns 0.

-- Sets that may have changed, by key: {hash tag, kind, name}.
local changed = {}

for _, entry in ipairs(a.tokens) do
  local hash_tag, object, id, is_revoked = unpack(entry)
  ctx.hash_tag = hash_tag
  local entries = key('r', object)
  local score = tonumber(redis.call('ZSCORE', entries, id))
  if score and (is_revoked or is_older(score, a.young_s)) then redis.call('ZREM', entries, id) end
  changed[entries] = { hash_tag, 'r', object }
end
for _, entry in ipairs(a.takeovers) do
  local hash_tag, user, member, kept_until_ms = unpack(entry)
  ctx.hash_tag = hash_tag
  if kept_until_ms == 0 then
    redis.call('ZREM', key('v', user), member)
  else
    redis.call('ZADD', key('v', user), 'XX', 'LT', kept_until_ms, member)
  end
  changed[key('v', user)] = { hash_tag, 'v', user }
end
for _, set in pairs(changed) do
  ctx.hash_tag = set[1]
  prune_entries(set[2], set[3])
  fit_entries_ttl(set[2], set[3])
end
return 0
