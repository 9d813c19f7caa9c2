-- Why a script: an access must never revive a token that was ended or expired meanwhile, so the test and the
-- write are one step.
-- ARGV[2]  touches: {shard, locator, user, access, since, the expiry it earned or 0} each; all shards in one slot. While the
--          store was away, each access was in time by the renewal that the one before it had earned: `since` is the first
--          of such a chain. The token must have lived then.

-- The users whose indexes it wrote, by index: {shard, user}.
local renewed = {}

local function touch(shard, locator, user, access, since, renew_to)
  ctx.shard = shard
  local token, index = key('t', locator), key('u', user)
  local t = redis.call('HMGET', token, 'f', 'x', 't')
  if not t[1] and not t[2] then return end
  local flags, expires_at = tonumber(t[1]), tonumber(t[2])
  if not flags or not expires_at then error('corrupt') end
  if not is_active(flags) or expires_at <= since then return end
  -- XX: an index that was lost does not come back from here, where nothing would give it a TTL.
  redis.call('ZADD', index, 'XX', 'LT', -access, '@' .. locator)
  if renew_to > expires_at and renew_to > now then
    redis.call('HSET', token, 'x', decimal(renew_to))
    redis.call('PEXPIRE', token, ttl(renew_to))
    redis.call('ZADD', index, renew_to, locator)
    renewed[index] = { shard, user }
    -- A takeover ends with its token.
    if t[3] and redis.call('EXISTS', key('o', locator)) == 1 then
      redis.pcall('HSET', key('o', locator), 'x', decimal(renew_to))
    end
  end
end

-- One corrupt record must not cost all others in the batch their renewal.
local broken
for _, t in ipairs(a.touches) do
  local shard, locator = t[1], t[2]
  local ok = pcall(touch, shard, locator, t[3], t[4], t[5], t[6])
  if not ok then broken = broken or key('t', locator) end
end
-- At the end: a late touch, of an access in time, comes before its token is found to be past its time.
for _, r in pairs(renewed) do
  ctx.shard = r[1]
  settle(r[2])
end
if broken then return corrupt(broken, 'touched') end
return 0
