-- Revokes a live token without a takeover, as nearly all are; change_token.lua is for the others.
-- Why a script: only a live token may be revoked, and its index entry changes with it.
-- KEYS, ARGV[1…9]  see shared/short_context.lua
-- ARGV[10]  locator
-- ARGV[11]  actor
-- ARGV[12]  reason
-- Returns {the fields REVOKED_FIELDS of operations/usual_cases.rs, score of the last access} of the revoked token, whose
-- entries of its related objects are stale; {} if it is another token, or corrupt: then nothing was done.
local ACTIVE, LOCKED, REVOKED_SCORE = 1, 32, 2 ^ 50
local locator = ARGV[10]
-- Fails while the slot migrates, as in context.lua.
redis.call('EXISTS', ARGV[3] .. 'm' .. named .. 'probe')
local t =
  redis.call('HMGET', token, 'u', 'f', 'x', 's', 'i', 'z', 't', 'r', 'q', 'h', 'c', 'd', 'o', 'p', 'm')
local user, flags, expires_at_ms = t[1], tonumber(t[2]), tonumber(t[3])
if not user or not flags or not expires_at_ms or t[7] then return {} end
if bit.band(flags, ACTIVE) == 0 or expires_at_ms <= now_ms then return {} end
local is_whole, terms = pcall(cmsgpack.unpack, t[5])
if not is_whole or type(terms) ~= 'table' then return {} end
local cold
is_whole, cold = pcall(cmsgpack.unpack, t[6])
-- A long user agent is cut in events.
if not is_whole or type(cold) ~= 'table' or type(cold[2]) ~= 'string' or #cold[2] > 128 then return {} end

local index, left_ms = ARGV[3] .. 'u' .. named .. user, string.format('%d', ARGV[9] + ARGV[8])
-- First, because it fails if the index is of another type: then nothing has changed yet.
redis.call('ZADD', index, string.format('%d', REVOKED_SCORE + now_ms + ARGV[9]), locator)
t[2] = string.format('%d', bit.band(flags, bit.bnot(ACTIVE + LOCKED)))
redis.call('HSET', token, 'f', t[2], 'e', ARGV[1], 'w', ARGV[12])
redis.call('PEXPIRE', token, left_ms)
local accessed = redis.call('ZSCORE', index, '@' .. locator)
if accessed and redis.call('ZCARD', index) == 2 then
  redis.call('PEXPIRE', index, left_ms)
else
  -- INDEX: scripts.rs replaces this mark with the functions of the user's index.
  redis.call('ZREM', index, '#' .. locator)
  prune_and_fit_ttl(user)
end
local agent = cold[2] ~= '' and cold[2] or nil
local event = cmsgpack.pack({
  k = 'token.revoked', t = now_ms, a = ARGV[11], l = locator, w = ARGV[12],
  i = cold[1], g = agent, s = t[4] or nil, b = terms[3],
})
-- EVENT: scripts.rs replaces this mark with shared/short_event.lua.
return { t, accessed }
