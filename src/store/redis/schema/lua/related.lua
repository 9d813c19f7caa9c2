-- Shared by the scripts about related objects; put after the prelude.
--
-- A token's related objects are its field r: {{content type, object id}, ...}. An object's hints (hints.lua) are in a slot of
-- their own.

-- A token's related objects, and where in them this one is.
local function find_object(locator, object)
  local packed = redis.call('HGET', key('t', locator), 'r')
  local related = packed and cmsgpack.unpack(packed) or {}
  for at, other in ipairs(related) do
    if other[1] == object[1] and other[2] == object[2] then return related, at end
  end
  return related, nil
end

local function write_related(locator, related)
  if #related > 0 then
    redis.call('HSET', key('t', locator), 'r', cmsgpack.pack(related))
  else
    redis.call('HDEL', key('t', locator), 'r')
  end
end

-- Field q of a token has the objects that were taken from it lately: {{content type, object id, when (ms)}, ...}. Their
-- entries in the reverse index were too young to be removed (unhint.lua). They go when the token is revoked, or with the
-- next change of its related objects once they are old.
local MOST_TAKEN = 100

-- Notes that this object was taken from the token, or given to it. `youth` is how long an entry is young, ms.
local function note_taken(locator, object, is_taken, youth)
  local token = key('t', locator)
  local packed, young = redis.call('HGET', token, 'q'), {}
  if not packed and not is_taken then return end
  for _, other in ipairs(packed and cmsgpack.unpack(packed) or {}) do
    local is_it = other[1] == object[1] and other[2] == object[2]
    if not is_it and other[3] + youth > now then
      table.insert(young, other)
    elseif not is_it then
      table.insert(untrue_tokens, { locator, other[1], other[2], false })
    end
  end
  if is_taken then table.insert(young, { object[1], object[2], now }) end
  if #young > MOST_TAKEN then table.remove(young, 1) end
  if #young > 0 then
    redis.call('HSET', token, 'q', cmsgpack.pack(young))
  else
    redis.call('HDEL', token, 'q')
  end
end

