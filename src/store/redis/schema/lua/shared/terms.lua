-- A token's terms, field i, and its expiry, which follows from them. Needs tokens.lua.

-- Returns field i as {idle_ms, ends_at_ms, backend}; nil if it is garbled.
local function unpack_terms(packed)
  local is_whole, terms = pcall(cmsgpack.unpack, packed)
  is_whole = is_whole and type(terms) == 'table' and type(terms[1]) == 'number' and type(terms[2]) == 'number'
  return is_whole and { idle_ms = terms[1], ends_at_ms = terms[2], backend = terms[3] } or nil
end

local function write_terms(locator, terms)
  -- An array of three.
  local packed = '\147' .. cmsgpack.pack(terms.idle_ms, terms.ends_at_ms, terms.backend)
  redis.call('HSET', key('t', locator), 'i', packed)
end

-- Moves a token's expiry, in the record, in the index and in the history of its takeovers. The caller prunes the index and
-- fits its TTL.
local function write_expiry(user, locator, expires_at_ms)
  local token = key('t', locator)
  redis.call('HSET', token, 'x', decimal(expires_at_ms))
  redis.call('PEXPIRE', token, ttl_ms(expires_at_ms))
  redis.call('ZADD', key('u', user), expires_at_ms, locator)
  -- A takeover ends with its token.
  if redis.call('HGET', token, 't') and redis.call('EXISTS', key('o', locator)) == 1 then
    redis.pcall('HSET', key('o', locator), 'x', decimal(expires_at_ms))
  end
end

-- Returns whether `objects` has all objects in a token's field r.
local function has_all_related(objects, packed)
  local given = {}
  for _, object in ipairs(objects) do given[object[1] .. '\0' .. object[2]] = true end
  for _, object in ipairs(packed and cmsgpack.unpack(packed) or {}) do
    if not given[object[1] .. '\0' .. object[2]] then return false end
  end
  return true
end

-- Returns whether a token with these fields z and p was imported and never rotated.
local function has_foreign_string(cold, previous)
  local is_whole, unpacked = pcall(cmsgpack.unpack, cold)
  return is_whole and type(unpacked) == 'table' and unpacked[3] ~= nil and not previous
end

-- Computes the terms of a token that is to get another idle_ms or lifetime_ms, or both. by.objects are the related objects
-- whose reverse-index entries reach to the new end. Returns the terms; nil and why it gets none, a status of
-- change_token.lua; or nil, nil and an error if a field is corrupt.
local function new_terms(locator, by)
  local token = key('t', locator)
  local t = redis.call('HMGET', token, 'i', 'c', 'r', 'z', 'p')
  local terms, created_at_ms = unpack_terms(t[1]), tonumber(t[2])
  if not terms then return nil, nil, corrupt(token, 'i') end
  if not created_at_ms then return nil, nil, corrupt(token, 'c') end
  local old_end_ms = terms.ends_at_ms
  if by.lifetime_ms then terms.ends_at_ms = created_at_ms + by.lifetime_ms end
  if terms.ends_at_ms <= now_ms then return nil, 6 end
  if terms.ends_at_ms > old_end_ms then
    -- The alias of the string is kept until the end of now.
    if has_foreign_string(t[4], t[5]) then return nil, 8 end
    if not has_all_related(by.objects, t[3]) then return nil, 7 end
  end
  terms.idle_ms = by.idle_ms or terms.idle_ms
  return terms
end

