-- Shared by every script; put before each of them when it is loaded (scripts.rs).
--
-- ARGV[1], the same for every script, in MessagePack:
--   prefix     the setting key-prefix
--   shard      the shard tag of all keys of the call
--   now        the caller's clock, ms
--   tolerance  how far that may be from this server's clock, ms; absent where they are not compared (a manual clock)
--   actor      who does it, for events
--   channel    where events are told
--   retention  how long an ended token is kept, ms
--   grace      how much longer than that, and than its expiry, a token stays here, ms: see ttl in prelude.lua
--   events     how many events of a user are kept; 0 for none
--   event_ttl  for how long, ms
-- ARGV[2], each script's own, in MessagePack: it says what at its top. What is not text comes as it is from ARGV[3] on:
-- this MessagePack knows no bytes.
--
-- Only the first key is in KEYS, for routing. The others are made here: the shard tag puts them all into its slot.

local ctx = cmsgpack.unpack(ARGV[1])
local a = cmsgpack.unpack(ARGV[2])
local now = ctx.now

-- kind: t token, u a user's index, o a token's takeovers, e a user's events, d a device key, k a user's device keys, r an
-- object's hints, v the hints of who took a user over
local function key(kind, name)
  return ctx.prefix .. kind .. ':{' .. ctx.shard .. '}:' .. name
end

-- PERMISSIONS: scripts.rs puts the question here whether the Redis user may run every command of the script.

-- A slot on its way to another server of a cluster has some of its keys here and some there, and no script may run on
-- half of them: asking for a key that is never there is then an error, before anything has been changed.
redis.call('EXISTS', key('m', 'probe'))

-- A caller with a wrong clock would take live tokens for expired and delete them. It is refused before anything has been
-- changed.
if ctx.tolerance then
  local time = redis.call('TIME')
  local ahead = now - (time[1] * 1000 + math.floor(time[2] / 1000))
  if math.abs(ahead) > ctx.tolerance then
    return redis.error_reply('DWCLOCK ' .. string.format('%.0f', ahead))
  end
end

local function corrupt(where, field)
  return redis.error_reply('DWCORRUPT ' .. where .. ' ' .. field)
end

