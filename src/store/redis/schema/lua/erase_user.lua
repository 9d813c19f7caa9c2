-- Erases a user: tokens, device keys, the takeovers by these tokens, the list of takeovers of the user, the events.
-- Why a script: a token that is issued meanwhile is either erased or was issued afterwards. A user with few of these is
-- erased in one step. Of a user with many, each step erases some, tokens first, and the last step erases the rest; so the
-- user is erased once a step has found nothing that it had to leave.
-- KEYS     the user's index
-- ARGV[2]  user
--          trace_ms  how long a trace is kept (shared/traces.lua)
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

local live = {}

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
  if erase_token(a.user, locator) then table.insert(live, locator) end
end
for at = 1, #devices, 2 do
  if not goes_on() then break end
  local locator, expires_at_ms = split_entry(devices[at + 1])
  purge_device(a.user, devices[at], locator)
  if expires_at_ms and expires_at_ms > now_ms then emit(a.user, { k = 'device.ended', d = devices[at], y = locator }) end
end
for _, locator in ipairs(histories) do
  if not goes_on() then break end
  erase_takeovers(a.user, locator)
end
if is_erased then
  redis.call('UNLINK', key('u', a.user), key('k', a.user), key('a', a.user), key('v', a.user), key('e', a.user))
  leave_user_trace(a.user, 'e', now_ms)
  emit(a.user, { k = 'user.erased' })
end
return finish({ live, is_erased and 1 or 0 })
