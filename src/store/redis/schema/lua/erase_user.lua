-- Erases a user: tokens, device keys, the takeovers by these tokens, the list of takeovers of the user, the events.
-- Why a script: a token that is issued meanwhile is either erased or was issued afterwards. A user with few of these is
-- erased in one step. Of a user with many, each step erases some, tokens first, and the last step erases the rest; so the
-- user is erased once a step has found nothing that it had to leave.
-- KEYS     the user's index
-- ARGV[2]  user
-- Returns {locators of the erased tokens that were live, 1 if the user is erased, 0 if there are more steps}.

-- The most tokens, device keys and histories that one step erases, and the number of reverse-index entries of them at which
-- it stops.
local STEP_ITEMS, STEP_ENTRIES = 100, 500

-- These fail if a key is of another type, before anything is written. Of each, one more is read than a step erases. Live
-- tokens come first.
local locators = redis.call('ZRANGEBYSCORE', key('u', a.user), 0, '+inf', 'LIMIT', 0, STEP_ITEMS + 1)
local devices = redis.call('HRANDFIELD', key('k', a.user), STEP_ITEMS + 1, 'WITHVALUES')
local histories = redis.call('ZRANGE', key('a', a.user), 0, STEP_ITEMS)

-- These events are only published: the history is erased, too.
ctx.max_events = 0

-- Erases the takeovers by a token, of which no record is left to say until when their reverse-index entries are kept.
local function erase_takeovers(locator)
  local fields = redis.pcall('HGETALL', key('o', locator))
  for at = 1, #fields, 2 do
    local is_whole, takeover = pcall(cmsgpack.unpack, fields[at + 1])
    if #fields[at] == LOCATOR_CHARS and is_whole and type(takeover) == 'table' and type(takeover[2]) == 'string' then
      table.insert(stale_takeover_entries, { locator, fields[at], takeover[2], true })
    end
  end
  redis.call('UNLINK', key('o', locator))
  redis.call('ZREM', key('a', a.user), locator)
end

local live = {}

-- Erases a token. A corrupt one, too: nothing reads it any more.
local function erase_token(locator)
  local t = redis.pcall('HMGET', key('t', locator), 'f', 'x', 't', 'r', 'q', 's', 'i', 'z')
  local flags, expires_at_ms = tonumber(t[1]), tonumber(t[2])
  if flags and is_active(flags) and expires_at_ms and expires_at_ms > now_ms then
    local facts = token_facts(t[6], t[7], t[8])
    if t[3] then end_packed_takeover(a.user, locator, t[3], 'erased', facts) end
    emit(a.user, { k = 'token.revoked', l = locator, w = 'erased' }, facts)
    table.insert(live, locator)
  end
  pcall(collect_stale_entries, locator, t[4])
  pcall(collect_stale_entries, locator, t[5])
  erase_takeovers(locator)
  purge(a.user, locator)
end

local items, is_erased = 0, true

-- Returns whether this step erases one more item.
local function goes_on()
  items = items + 1
  local entries = #stale_token_entries + #stale_takeover_entries
  is_erased = is_erased and items <= STEP_ITEMS and entries < STEP_ENTRIES
  return is_erased
end

for _, locator in ipairs(locators) do
  if not goes_on() then break end
  erase_token(locator)
end
for at = 1, #devices, 2 do
  if not goes_on() then break end
  local locator, expires_at_ms = split_entry(devices[at + 1])
  purge_device(a.user, devices[at], locator)
  if expires_at_ms and expires_at_ms > now_ms then emit(a.user, { k = 'device.ended', d = devices[at] }) end
end
for _, locator in ipairs(histories) do
  if not goes_on() then break end
  erase_takeovers(locator)
end
if is_erased then
  redis.call('UNLINK', key('u', a.user), key('k', a.user), key('a', a.user), key('v', a.user), key('e', a.user))
  emit(a.user, { k = 'user.erased' })
end
return finish({ live, is_erased and 1 or 0 })
