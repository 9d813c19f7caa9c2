-- Replaces the secret of a live token that may be rotated, as nearly all may; change_token.lua is for the others.
-- Why a script: only a live token may be rotated, and its former secret is remembered in the same step.
-- KEYS, ARGV[1…9]  see shared/short_context.lua
-- ARGV[10]  locator
-- ARGV[11]  actor
-- ARGV[12]  hash of the new secret
-- ARGV[13…15]  grace_ms, max_siblings, max_remembered, see shared/secrets.lua
-- Returns {all fields, score of the last access} of the rotated token; {} if it is another token, or corrupt: then nothing was
-- done.
local ACTIVE, PENDING, LOCKED = 1, 16, 32
local locator = ARGV[10]
-- Fails while the slot migrates, as in context.lua.
redis.call('EXISTS', ARGV[3] .. 'm' .. named .. 'probe')
local t = redis.call('HMGET', token, 'u', 'f', 'x', 's', 'i', 'z', 'h', 'p', 'm', 'c')
local user, flags, expires_at_ms = t[1], tonumber(t[2]), tonumber(t[3])
if not user or not flags or not expires_at_ms or not t[7] then return {} end
if bit.band(flags, ACTIVE + PENDING + LOCKED) ~= ACTIVE or expires_at_ms <= now_ms then return {} end
local is_whole, terms = pcall(cmsgpack.unpack, t[5])
if not is_whole or type(terms) ~= 'table' then return {} end
local cold
is_whole, cold = pcall(cmsgpack.unpack, t[6])
-- A long user agent is cut in events.
if not is_whole or type(cold) ~= 'table' or type(cold[2]) ~= 'string' or #cold[2] > 128 then return {} end
local by =
  { grace_ms = tonumber(ARGV[13]), max_siblings = tonumber(ARGV[14]), max_remembered = tonumber(ARGV[15]) }
local previous = rotated_out(t[8] or '', t[7], by)
if not previous then return {} end

-- Fails if the index is of another type, before anything is written.
local accessed = redis.call('ZSCORE', ARGV[3] .. 'u' .. named .. user, '@' .. locator)
-- As write_version in tokens.lua.
local version_ms = math.max(now_ms, (tonumber(t[9]) or tonumber(t[10]) or 0) + 1)
redis.call('HSET', token, 'h', ARGV[12], 'p', previous, 'm', string.format('%d', version_ms))
local agent = cold[2] ~= '' and cold[2] or nil
local event = cmsgpack.pack({
  k = 'token.rotated', t = now_ms, a = ARGV[11], l = locator,
  i = cold[1], g = agent, s = t[4] or nil, b = terms[3],
})
-- EVENT: scripts.rs replaces this mark with shared/short_event.lua.
return { redis.call('HGETALL', token), accessed }
