-- Starts every script of `doorward verify`. Needs context.lua only.
--
-- KEYS     the key of one of the items; all hash tags of a call are in one slot
-- ARGV[2]  repair            whether to repair; without it, the script runs with the flag no-writes
--          tolerance_ms      how far a TTL may be from what the record says
--          longest_grace_ms  the longest grace that any setting allows; a TTL may have been set under another setting
-- ARGV[3…] the items, each of as many arguments as the head of the script lists
-- Returns {position of the item, kind of damage, whether it was repaired} each; verification/damage.rs explains the kinds.
--
-- A script sees a user's keys as they are between two operations, so what it finds is damage, and no write under way.

local found = {}

local function report(position, kind, is_repaired)
  table.insert(found, { position, kind, is_repaired and 1 or 0 })
end

-- Calls inspect(position, the item's arguments...) for each item.
local function for_each_item(arguments, inspect)
  for at = 3, #ARGV, arguments do
    ctx.hash_tag = ARGV[at]
    inspect((at - 3) / arguments, unpack(ARGV, at + 1, at + arguments - 1))
  end
end

-- Returns whether an answer of redis.pcall is an error: the key has another type, which its own check reports.
local function is_foreign(answer) return type(answer) == 'table' and answer.err ~= nil end

-- Returns what is wrong with a key's TTL; nil if nothing is. The key is needed until `needed_until_ms`, and is to be gone at
-- `gone_at_ms`, if that is not nil.
local function ttl_damage(name, needed_until_ms, gone_at_ms)
  local left_ms = redis.call('PTTL', name)
  if left_ms == -1 then return 'missing-ttl' end
  local is_short = left_ms < needed_until_ms - now_ms - a.tolerance_ms
  -- A write does not shorten the TTL of an index of which all entries have expired.
  local is_long = gone_at_ms and gone_at_ms > now_ms and left_ms > gone_at_ms - now_ms + a.tolerance_ms
  return (is_short or is_long) and left_ms >= 0 and 'wrong-ttl' or nil
end

-- Gives a key this TTL. An expired key gets a moment, in which a write may still find it.
local function set_ttl(name, left_ms) redis.call('PEXPIRE', name, math.max(left_ms, a.tolerance_ms)) end

