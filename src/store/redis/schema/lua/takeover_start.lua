-- Why a script: the token is looked at, an earlier takeover ends, and the new one begins, in one step.
-- ARGV[2]  locator    the token's
--          takeover   the takeover's locator
--          user       the user taken over
--          ends_at    its hard end
--          reason     why, or ''
--          keep       how long past its hard end it is kept, ms
--          most       how many of a token are kept; then ARGV[3], what never changes of it, packed
-- Gives {status, the token's owner}: 0 no token, 1 done, 2 it has ended, 3 its second factor is still to be shown,
-- 4 it is that user's own.
local t, broken = find(a.locator)
if broken then return broken end
if not t then return { 0 } end
if t.ended then return { 2 } end
if bit.band(t.flags, PENDING) ~= 0 then return { 3 } end
if t.user == a.user then return { 4 } end

local token, history = key('t', a.locator), key('o', a.locator)
-- Before anything is written: it fails where the history is of another type.
local packed = redis.call('HGET', history, 'l')
end_takeover(t.user, a.locator, 'replaced')

-- Field l names the takeovers, the oldest first: those beyond the limit go.
local is_whole, locators = pcall(cmsgpack.unpack, packed)
if not packed or not is_whole or type(locators) ~= 'table' then locators = {} end
table.insert(locators, a.takeover)
while #locators > a.most do
  local oldest = table.remove(locators, 1)
  redis.call('HDEL', history, oldest, '-' .. oldest)
end

redis.call('HSET', history, 'u', t.user, 'x', decimal(t.expires_at), 'l', cmsgpack.pack(locators), a.takeover, ARGV[3])
-- An earlier one may be kept for longer. GT sets nothing where there is no TTL yet.
redis.call('PEXPIRE', history, a.ends_at - now + a.keep, 'NX')
redis.call('PEXPIRE', history, a.ends_at - now + a.keep, 'GT')
redis.call('HSET', token, 't', cmsgpack.pack({ a.takeover, a.user, a.ends_at, now, a.reason }))
emit(t.user, { k = 'takeover.started', l = a.locator, o = a.takeover, u = a.user })
return finish({ 1, t.user })
