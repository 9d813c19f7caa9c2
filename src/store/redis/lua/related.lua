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

