-- A token's related objects, field r, and those taken from it lately, field q. Needs revocation.lua.

-- Returns a token's related objects, and the position of this one in them.
local function find_object(locator, object)
  local packed = redis.call('HGET', key('t', locator), 'r')
  local related = packed and cmsgpack.unpack(packed) or {}
  for at, other in ipairs(related) do
    if other[1] == object[1] and other[2] == object[2] then return related, at end
  end
  return related, nil
end

local function write_related(locator, related)
  write_version(key('t', locator))
  if #related > 0 then
    redis.call('HSET', key('t', locator), 'r', cmsgpack.pack(related))
  else
    redis.call('HDEL', key('t', locator), 'r')
  end
end

-- The most objects in field q.
local MAX_TAKEN = 100

-- Updates field q after this object was taken from the token, or given to it: {{content type, object id, when (ms)}, ...}.
-- The reverse-index entries of these objects were too young to be removed (remove_stale_entries.lua). Objects older than
-- young_ms leave the field here, and their entries become stale.
local function update_taken(locator, object, is_taken, young_ms)
  local token = key('t', locator)
  local packed, young = redis.call('HGET', token, 'q'), {}
  if not packed and not is_taken then return end
  for _, other in ipairs(packed and cmsgpack.unpack(packed) or {}) do
    local is_it = other[1] == object[1] and other[2] == object[2]
    if not is_it and other[3] + young_ms > now_ms then
      table.insert(young, other)
    elseif not is_it then
      table.insert(stale_token_entries, { locator, other[1], other[2], false })
    end
  end
  if is_taken then table.insert(young, { object[1], object[2], now_ms }) end
  if #young > MAX_TAKEN then table.remove(young, 1) end
  if #young > 0 then
    redis.call('HSET', token, 'q', cmsgpack.pack(young))
  else
    redis.call('HDEL', token, 'q')
  end
end

