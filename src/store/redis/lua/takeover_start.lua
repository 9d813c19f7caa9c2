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
local kept = redis.call('HLEN', history)
end_takeover(t.user, a.locator, 'replaced')

-- Forgets the oldest ones beyond the limit; two fields are the history's own, and each takeover has one or two.
local function make_room()
  local found = {}
  for _, name in ipairs(redis.call('HKEYS', history)) do
    if #name == #a.takeover then
      local is_whole, takeover = pcall(cmsgpack.unpack, redis.call('HGET', history, name))
      is_whole = is_whole and type(takeover) == 'table' and type(takeover[1]) == 'number'
      -- A garbled one goes first.
      table.insert(found, { name = name, at = is_whole and takeover[1] or 0 })
    end
  end
  table.sort(found, function(x, y)
    if x.at ~= y.at then return x.at < y.at end
    return x.name < y.name
  end)
  for i = 1, #found + 1 - a.most do
    redis.call('HDEL', history, found[i].name, '-' .. found[i].name)
  end
end
if kept > a.most then make_room() end

redis.call('HSET', history, 'u', t.user, 'x', decimal(t.expires_at), a.takeover, ARGV[3])
-- An earlier one may be kept for longer. GT sets nothing where there is no TTL yet.
redis.call('PEXPIRE', history, a.ends_at - now + a.keep, 'NX')
redis.call('PEXPIRE', history, a.ends_at - now + a.keep, 'GT')
redis.call('HSET', token, 't', cmsgpack.pack({ a.takeover, a.user, a.ends_at, now, a.reason }))
emit(t.user, { k = 'takeover.started', l = a.locator, o = a.takeover, u = a.user })
return finish({ 1, t.user })
