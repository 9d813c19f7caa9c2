-- The cut-offs: one hash, name to packed entry; codec/cutoff.rs describes an entry. Needs context.lua only.

local CUTOFFS = key('m', 'cutoffs')

-- Returns the entry of a cut-off, and its packed form; nil if it is not set, or nil and an error if it is corrupt.
local function read_cutoff(name)
  local packed = redis.call('HGET', CUTOFFS, name)
  if not packed then return nil end
  local is_whole, entry = pcall(cmsgpack.unpack, packed)
  if not is_whole or type(entry) ~= 'table' or type(entry[1]) ~= 'number' then
    return nil, corrupt(CUTOFFS, name)
  end
  return entry, packed
end

-- Publishes an event: k kind, c name, x time. It is of no user, so it is in no history.
local function announce_cutoff(event)
  event.t, event.a = now_ms, ctx.actor
  redis.call('PUBLISH', ctx.channel .. ':endings', ctx.hash_tag .. '\0' .. cmsgpack.pack(event))
end

