-- A token's terms, field i, and its expiry, which follows from them. Needs tokens.lua.

-- Returns the idle time, the absolute end and the backend in field i; nil if it is garbled.
local function unpack_terms(packed)
  local is_whole, terms = pcall(cmsgpack.unpack, packed)
  is_whole = is_whole and type(terms) == 'table' and type(terms[1]) == 'number' and type(terms[2]) == 'number'
  if is_whole then return terms[1], terms[2], terms[3] end
end

local function write_terms(locator, idle_ms, ends_at_ms, backend)
  -- An array of three.
  redis.call('HSET', key('t', locator), 'i', '\147' .. cmsgpack.pack(idle_ms, ends_at_ms, backend))
end

-- Moves a token's expiry, in the record, in the index and in the history of its takeovers: `takeover` is its field t. The
-- caller prunes the index and fits its TTL.
local function write_expiry(user, locator, expires_at_ms, takeover)
  local token = key('t', locator)
  redis.call('HSET', token, 'x', decimal(expires_at_ms))
  redis.call('PEXPIRE', token, ttl_ms(expires_at_ms))
  redis.call('ZADD', key('u', user), expires_at_ms, locator)
  -- A takeover ends with its token.
  if takeover and redis.call('EXISTS', key('o', locator)) == 1 then
    redis.pcall('HSET', key('o', locator), 'x', decimal(expires_at_ms))
  end
end

