-- Merging what a node remembers into a master's data. Needs events.lua and traces.lua.
--
-- Every script that includes this is idempotent, and in whatever order nodes run them, the result is the same. None emits an
-- event: each was published when the change was made.
--
-- Returns until when everything of the user was erased; 0 if nothing was.
local function erased_until_ms(user) return tonumber(redis.call('HGET', key('y', user), 'e')) or 0 end

-- Returns the fields in these arguments, from position `first` to `last`, or in an answer to HGETALL, by name.
local function by_name(flat, first, last)
  local fields = {}
  for at = first, last or #flat, 2 do fields[flat[at]] = flat[at + 1] end
  return fields
end

-- Returns the version of these fields of a token or device key.
local function version_of(fields) return tonumber(fields.m) or tonumber(fields.c) or 0 end

-- Returns the fields of both in a fixed order, for comparing two states of the same version.
local function flattened(fields)
  local names, flat = {}, {}
  for name in pairs(fields) do table.insert(names, name) end
  table.sort(names)
  for _, name in ipairs(names) do
    table.insert(flat, name)
    table.insert(flat, fields[name])
  end
  return table.concat(flat, '\0')
end

-- Returns the later of two states, and the other. Of two with the same version, which nodes made on both sides of a failover,
-- all nodes choose the same.
local function by_version(one, other)
  local ahead = version_of(one) - version_of(other)
  if ahead == 0 then ahead = flattened(one) > flattened(other) and 1 or -1 end
  if ahead > 0 then return one, other end
  return other, one
end

-- Makes the hash have these fields; `present` are those it has. Returns whether anything changed.
local function write_fields(name, fields, present)
  local gone, changed = {}, {}
  for field in pairs(present) do
    if fields[field] == nil then table.insert(gone, field) end
  end
  for field, value in pairs(fields) do
    if present[field] ~= value then
      table.insert(changed, field)
      table.insert(changed, value)
    end
  end
  if #gone > 0 then redis.call('HDEL', name, unpack(gone)) end
  if #changed > 0 then redis.call('HSET', name, unpack(changed)) end
  return #gone + #changed > 0
end

