-- Why a script: a hint that was written again meanwhile stays, and the key's TTL is that of the longest-lived hint in it.
-- ARGV[2]  tokens     {shard, object's name in its key, the token's id, whether it has ended} each: the hint goes; that of
--                     a token that has not only if it is older than
--          grace      s
--          takeovers  {shard, user taken over, hint, until when that is kept now, ms} each; all shards in one slot

-- Where there may be a change, by key: {shard, kind, name}.
local changed = {}

for _, hint in ipairs(a.tokens) do
  local shard, object, id, has_ended = unpack(hint)
  ctx.shard = shard
  local hints = key('r', object)
  local score = tonumber(redis.call('ZSCORE', hints, id))
  if score and (has_ended or is_older(score, a.grace)) then redis.call('ZREM', hints, id) end
  changed[hints] = { shard, 'r', object }
end
for _, hint in ipairs(a.takeovers) do
  local shard, user, member, kept_until = unpack(hint)
  ctx.shard = shard
  redis.call('ZADD', key('v', user), 'XX', 'LT', kept_until, member)
  changed[key('v', user)] = { shard, 'v', user }
end
for _, at in pairs(changed) do
  ctx.shard = at[1]
  prune_hints(at[2], at[3])
  fit_hints_ttl(at[2], at[3])
end
return 0
