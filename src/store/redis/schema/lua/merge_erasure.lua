-- Erases what was there when a user was erased, as a node remembers it. What was made later stays.
-- Why a script: what another node merges later must not come back, so the trace and the erasure are one step. A user with much
-- is erased in several steps.
-- KEYS     the user's index
-- ARGV[2]  user
--          at_ms     when the user was erased
--          trace_ms  how long a trace is kept
-- Returns {how much was erased, 1 if the user is erased, 0 if there are more steps, packed stale entries}.

-- The most tokens, device keys and histories that one step erases.
local STEP_ITEMS = 100
local index, map, acting = key('u', a.user), key('k', a.user), key('a', a.user)

-- These fail if a key is of another type, before anything is written.
local locators = redis.call('ZRANGEBYSCORE', index, 0, '+inf')
local devices = redis.call('HGETALL', map)
local histories = redis.call('ZRANGE', acting, 0, -1)
leave_user_trace(a.user, 'e', a.at_ms)
local erased, is_all = 0, true

-- Returns the version of a token or device key: an imported one was created elsewhere.
local function version_ms(name)
  local v = redis.pcall('HMGET', name, 'm', 'c')
  return tonumber(v[1]) or tonumber(v[2]) or 0
end

-- Erases a thing of this version, if that is from before the erasure. A corrupt thing counts as older.
local function erase(made_at_ms, how, ...)
  if made_at_ms > a.at_ms then
    is_all = false
  elseif erased < STEP_ITEMS then
    how(...)
    erased = erased + 1
  end
end

-- Returns when the latest takeover in a history began.
local function latest_start_ms(history)
  local latest_ms = 0
  local fields = redis.pcall('HGETALL', history)
  for at = 1, #fields, 2 do
    local is_whole, takeover = pcall(cmsgpack.unpack, fields[at + 1])
    if #fields[at] == LOCATOR_CHARS and is_whole and type(takeover) == 'table' then
      latest_ms = math.max(latest_ms, tonumber(takeover[1]) or 0)
    end
  end
  return latest_ms
end

for _, locator in ipairs(locators) do
  erase(version_ms(key('t', locator)), erase_token, a.user, locator)
end
for at = 1, #devices, 2 do
  local locator = split_entry(devices[at + 1])
  erase(version_ms(key('d', locator)), purge_device, a.user, devices[at], locator)
end
for _, locator in ipairs(histories) do
  -- That of an erased token is gone.
  if redis.call('EXISTS', key('o', locator)) == 1 then
    erase(latest_start_ms(key('o', locator)), erase_takeovers, a.user, locator)
  else
    redis.call('ZREM', acting, locator)
  end
end
if is_all and erased < STEP_ITEMS then
  redis.call('UNLINK', index, map, acting, key('v', a.user), key('e', a.user))
else
  prune_and_fit_ttl(a.user)
  fit_entries_ttl('a', a.user)
  local err, kept = prune_devices(a.user, true)
  if err then return err end
  fit_map_ttl(a.user, kept)
end
local is_done = erased < STEP_ITEMS and 1 or 0
return { erased, is_done, cmsgpack.pack({ stale_token_entries, stale_takeover_entries }) }
