-- Why a script: whether the key admits and the token that follows are one step: once a key was deactivated, no login that
-- began before comes after it.
-- ARGV[2]  locator     the key's
--          uuid        the one presented
--          expires_at  until when the key lives after it
--          fold_ms, fold_over  for how long, and among how many events, a repeated refusal is none
--          new         see issuing.lua
-- then ARGV[3], the hash of the secret presented, and the fields of the token's hash but for its user
-- Gives {0} when it is refused, {1, user, locators of the tokens it ended to make room}, {2} when the user has too many and
-- none may be ended.
local device = key('d', a.locator)
local d = redis.call('HMGET', device, 'u', 'i', 'h', 'x', 'f')
local user, uuid, hash, expires_at, flags = d[1], d[2], d[3], tonumber(d[4]), tonumber(d[5])

-- Every refusal takes as many commands as the others, so that they tell nothing. Those of this one do nothing: a key that
-- is not there has no history, and a repeat of a refusal is not written again.
local function refuse_without_event()
  local nothing = key('m', 'probe')
  if ctx.events > 0 then
    redis.call('LPUSHX', nothing, '')
    redis.call('LTRIM', nothing, 0, 0)
    redis.call('PEXPIRE', nothing, 1)
  end
  redis.call('PUBLISH', ctx.channel .. ':none', '')
  return { 0 }
end

local function refuse_without_history()
  if ctx.events > 0 then redis.call('LRANGE', key('m', 'probe'), 0, a.fold_over - 1) end
  return refuse_without_event()
end

-- Whether the newest events are refused logins, one of them of this key and not long ago.
local function is_repeat(user, uuid)
  if ctx.events == 0 then return false end
  for _, packed in ipairs(redis.call('LRANGE', key('e', user), 0, a.fold_over - 1)) do
    local is_event, event = pcall(cmsgpack.unpack, packed)
    if not is_event or type(event) ~= 'table' or event.k ~= 'device.refused' then return false end
    if event.d == uuid then return now - (tonumber(event.t) or 0) < a.fold_ms end
  end
  return false
end

local is_there = redis.call('EXISTS', device) == 1
if not is_there then return refuse_without_history() end
if not user then return corrupt(device, 'u') end
if not uuid then return corrupt(device, 'i') end
if not hash then return corrupt(device, 'h') end
if not expires_at then return corrupt(device, 'x') end
if not flags then return corrupt(device, 'f') end
-- Its TTL, which is counted by Redis' clock, is late: from here on it is not there.
if expires_at <= now then
  forget_device(user, uuid, a.locator)
  return refuse_without_history()
end
-- How long it takes to compare the hashes tells nothing of use: equal texts are one object to Lua, so it compares addresses;
-- and whoever knew a part of the hash would still have 128 random bits to find that hash to it.
if not is_active(flags) or uuid ~= a.uuid or hash ~= ARGV[3] then
  if is_repeat(user, uuid) then return refuse_without_event() end
  emit(user, { k = 'device.refused', d = uuid })
  return finish({ 0 })
end

local broken, kept = tidy_devices(user)
if broken then return broken end
local made_room = issue(user, a.new, { 'u', user, unpack(ARGV, 4) })
if made_room.err then return made_room end
if made_room.full then return { 2 } end
redis.call('HSET', device, 'l', decimal(now), 'x', decimal(a.expires_at))
keep_device(user, uuid, a.locator, a.expires_at, kept)
emit(user, { k = 'device.logged_in', l = a.new.locator, d = uuid })
return finish({ 1, user, made_room })
