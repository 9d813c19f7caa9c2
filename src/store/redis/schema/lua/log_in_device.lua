-- Checks a login by device key, and issues the token.
-- Why a script: the check and the token are one step, so that no login that began earlier succeeds after the key was
-- deactivated.
-- KEYS     the device key
-- ARGV[2]  locator              the key's
--          uuid                 the uuid that the client sent
--          expires_at_ms        until when the key lives after this login
--          verified             the imported hash by which the node has verified the login token, if there is one
--          fold_ms, fold_over   within what time, and among how many events, a repeated refusal is not written again
--          new                  the token, see shared/issuing.lua
-- ARGV[3]  hash of the secret that the client sent; it replaces the imported hash
-- ARGV[4…] the fields of the token's hash except the user
-- Returns {0} if the login is refused, {1, user, locators of the tokens revoked to make room}, {2} if the user has too many
-- tokens and none may be revoked, {3} if the user is locked.
local device = key('d', a.locator)
local d = redis.call('HMGET', device, 'u', 'i', 'h', 'x', 'f', 'g')
local user, uuid, hash, expires_at_ms, flags, imported = d[1], d[2], d[3], tonumber(d[4]), tonumber(d[5]), d[6]

-- Every refusal takes the same number of commands, so that its time reveals nothing. These commands change nothing: a missing
-- key has no history, and a repeated refusal is not written again.
local function refuse_without_event()
  local nothing = key('m', 'probe')
  if ctx.max_events > 0 then
    redis.call('LPUSHX', nothing, '')
    redis.call('LTRIM', nothing, 0, 0)
    redis.call('PEXPIRE', nothing, 1)
  end
  redis.call('PUBLISH', ctx.channel .. ':none', '')
  return { 0 }
end

local function refuse_without_history()
  if ctx.max_events > 0 then redis.call('LRANGE', key('m', 'probe'), 0, a.fold_over - 1) end
  return refuse_without_event()
end

-- Returns whether the newest events are refused logins, one of them recent and of this key.
local function is_repeat(user, uuid)
  if ctx.max_events == 0 then return false end
  for _, packed in ipairs(redis.call('LRANGE', key('e', user), 0, a.fold_over - 1)) do
    local is_event, event = pcall(cmsgpack.unpack, packed)
    if not is_event or type(event) ~= 'table' or event.k ~= 'device.refused' then return false end
    if event.d == uuid then return now_ms - (tonumber(event.t) or 0) < a.fold_ms end
  end
  return false
end

local exists = redis.call('EXISTS', device) == 1
if not exists then return refuse_without_history() end
if not user then return corrupt(device, 'u') end
if not uuid then return corrupt(device, 'i') end
if not hash and not imported then return corrupt(device, 'h') end
if not expires_at_ms then return corrupt(device, 'x') end
if not flags then return corrupt(device, 'f') end
-- Redis counts the TTL by its own clock, and may be late. From here on the key counts as missing.
if expires_at_ms <= now_ms then
  purge_device(user, uuid, a.locator)
  return refuse_without_history()
end
-- The comparison of the hashes leaks no useful timing: Lua interns strings, so it compares addresses. A client that knew a
-- part of the hash would still have to find its preimage, of 128 random bits.
local is_right = hash == ARGV[3]
if imported then is_right = imported == a.verified end
if not is_active(flags) or uuid ~= a.uuid or not is_right then
  if is_repeat(user, uuid) then return refuse_without_event() end
  emit(user, { k = 'device.refused', d = uuid, i = a.new.facts.i, g = a.new.facts.g })
  return finish({ 0 }, true)
end

local err, kept = prune_devices(user)
if err then return err end
local made_room = issue(user, a.new, { 'u', user, unpack(ARGV, 4) })
if made_room.err then return made_room end
if made_room.locked then return { 3 } end
if made_room.full then return { 2 } end
redis.call('HSET', device, 'l', decimal(now_ms), 'x', decimal(a.expires_at_ms))
if imported then
  redis.call('HSET', device, 'h', ARGV[3])
  redis.call('HDEL', device, 'g')
end
keep_device(user, uuid, a.locator, a.expires_at_ms, kept)
emit(user, { k = 'device.logged_in', l = a.new.locator, d = uuid }, a.new.facts)
return finish({ 1, user, made_room })
