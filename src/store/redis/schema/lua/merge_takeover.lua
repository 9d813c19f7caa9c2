-- Merges a remembered takeover into the history of its token.
-- Why a script: the history names its takeovers in order, and keeps a limited number of them.
-- KEYS     the token
-- ARGV[2]  locator        the token's
--          takeover       the takeover's locator
--          actor          the token's owner
--          created_at_ms  when the takeover began
--          ends_at_ms     its hard end
--          expires_at_ms  when the token expires, if it is not there
--          retention_ms   how long the takeover is kept after its hard end
--          max            the most takeovers kept of a token
--          trace_ms       how long a trace is kept
-- ARGV[3]  the takeover's record, see codec/takeover.rs
-- Returns {0 if nothing changed, 1 if the history has it now, 3 if the user was erased, when it was ended early (ms) or 0}.
if a.created_at_ms <= erased_until_ms(a.actor) then return { 3, 0 } end
local history, ended = key('o', a.locator), '-' .. a.takeover
redis.call('ZCARD', key('a', a.actor))
local trace = redis.call('GET', key('q', a.takeover))
local ended_at_ms = tonumber(redis.call('HGET', history, ended)) or tonumber(trace) or 0
if redis.call('HGET', history, a.takeover) then return { 0, ended_at_ms } end
if a.ends_at_ms + a.retention_ms <= now_ms then return { 0, ended_at_ms } end

local expires_at_ms = tonumber(redis.call('HGET', key('t', a.locator), 'x')) or a.expires_at_ms
local takeover = { locator = a.takeover, record = ARGV[3], ends_at_ms = a.ends_at_ms }
-- One more than the limit: the oldest goes below.
add_to_history(a.actor, a.locator, expires_at_ms, takeover, { max = a.max + 1, retention_ms = a.retention_ms })
if ended_at_ms > 0 then redis.call('HSET', history, ended, decimal(ended_at_ms)) end

local started = {}
local locators = cmsgpack.unpack(redis.call('HGET', history, 'l'))
for _, locator in ipairs(locators) do
  local is_whole, record = pcall(cmsgpack.unpack, redis.call('HGET', history, locator) or '')
  local at_ms = is_whole and type(record) == 'table' and tonumber(record[1]) or 0
  started[locator] = string.format('%013.0f', at_ms) .. locator
end
table.sort(locators, function(one, other) return started[one] < started[other] end)
while #locators > a.max do
  local oldest = table.remove(locators, 1)
  redis.call('HDEL', history, oldest, '-' .. oldest)
end
redis.call('HSET', history, 'l', cmsgpack.pack(locators))
return { 1, ended_at_ms }
