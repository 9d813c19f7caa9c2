-- Starts a takeover, and ends an earlier one of the token.
-- Why a script: the token is checked, the earlier takeover ends and the new one starts in one step.
-- KEYS     the token
-- ARGV[2]  locator       the token's
--          takeover      the takeover's locator
--          user          the user taken over
--          ends_at_ms    hard end of the takeover
--          reason        why, or ''
--          retention_ms  how long the takeover is kept after its hard end
--          max           the most takeovers kept of a token
-- ARGV[3]  the takeover's record, see codec/takeover.rs
-- Returns {1, the token's owner, the token's fields}; {0} no such token, {2} revoked, {3} its second factor is pending, {4} its owner is that
-- user, {5} its owner is locked.
local t, err = load_or_purge(a.locator)
if err then return err end
if not t then return { 0 } end
if t.is_revoked then return { 2 } end
if bit.band(t.flags, LOCKED) ~= 0 then return { 5 } end
if bit.band(t.flags, PENDING) ~= 0 then return { 3 } end
if t.user == a.user then return { 4 } end

local token = key('t', a.locator)
-- These fail if a key is of another type, before anything is written.
redis.call('HLEN', key('o', a.locator))
redis.call('ZCARD', key('a', t.user))
end_takeover(t.user, a.locator, 'replaced')
local takeover = { locator = a.takeover, record = ARGV[3], ends_at_ms = a.ends_at_ms }
add_to_history(t.user, a.locator, t.expires_at_ms, takeover, a)
redis.call('HSET', token, 't', cmsgpack.pack({ a.takeover, a.user, a.ends_at_ms, now_ms, a.reason }))
emit(t.user, { k = 'takeover.started', l = a.locator, o = a.takeover, u = a.user }, read_facts(a.locator))
write_version(token)
return finish({ 1, t.user, redis.call('HGETALL', token) })
