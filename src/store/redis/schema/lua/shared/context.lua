-- Starts every script: arguments, key names, and the checks that run before anything is written.
--
-- KEYS     One key of the call, which routes it. The script makes the other keys itself: the hash tag puts them all into
--          the slot of the first.
-- ARGV[1]  The context, the same for every script, in MessagePack:
--   prefix        setting key-prefix
--   hash_tag      hash tag of the keys of the call
--   now_ms        the caller's clock
--   tolerance_ms  how far now_ms may be from this server's clock; absent with a manual clock, which is not compared
--   actor         who acts, for events
--   channel       channel that events are published on
--   retention_ms  how long a revoked token is kept
--   grace_ms      how much longer every token stays in Redis; see ttl_ms in user_index.lua
--   max_events    how many events of a user are kept; 0 for none
--   event_ttl_ms  how long an event is kept
-- ARGV[2]  The script's own arguments, in MessagePack; the head of each script lists them.
-- ARGV[3…] Bytes that are not text. Redis's MessagePack has no byte strings.
--
-- schema/mod.rs describes the keys, the members and the fields.

local ctx = cmsgpack.unpack(ARGV[1])
local a = cmsgpack.unpack(ARGV[2])
local now_ms = ctx.now_ms

-- Returns the key of this kind (one letter, see schema/mod.rs) and name.
local function key(kind, name)
  return ctx.prefix .. kind .. ':{' .. ctx.hash_tag .. '}:' .. name
end

-- PERMISSIONS: scripts.rs replaces this mark with a check that the Redis user may run every command of the script.

-- While a slot migrates, some of its keys are here and some on the other server, and a script must not run on half of them.
-- Accessing a key that never exists then fails, before anything is written.
redis.call('EXISTS', key('m', 'probe'))

-- A caller with a wrong clock would take live tokens for expired ones and delete them. It is refused before anything is
-- written.
if ctx.tolerance_ms then
  local time = redis.call('TIME')
  local ahead_ms = now_ms - (time[1] * 1000 + math.floor(time[2] / 1000))
  if math.abs(ahead_ms) > ctx.tolerance_ms then
    return redis.error_reply('DWCLOCK ' .. string.format('%.0f', ahead_ms))
  end
end

local function corrupt(where, field)
  return redis.error_reply('DWCORRUPT ' .. where .. ' ' .. field)
end

