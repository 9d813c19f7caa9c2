-- Ending a takeover. Needs tokens.lua. codec/takeover.rs describes a token's takeovers, dw:o.

-- Ends the takeover of a token whose field t is `packed`. Returns it if it was still under way, else nil; a garbled one was
-- not. A history of another type does not stop the takeover's end. `facts` are the token's.
local function end_packed_takeover(user, locator, packed, reason, facts)
  redis.call('HDEL', key('t', locator), 't')
  local is_whole, takeover = pcall(cmsgpack.unpack, packed)
  is_whole = is_whole and type(takeover) == 'table' and type(takeover[1]) == 'string'
    and type(takeover[2]) == 'string' and type(takeover[3]) == 'number'
  if not is_whole or takeover[3] <= now_ms then return nil end
  -- A lost history is not created again here, where it would get no TTL.
  if redis.call('EXISTS', key('o', locator)) == 1 then
    redis.pcall('HSET', key('o', locator), '-' .. takeover[1], decimal(now_ms))
  end
  emit(user, { k = 'takeover.ended', l = locator, o = takeover[1], u = takeover[2], w = reason }, facts)
  table.insert(stale_takeover_entries, { locator, takeover[1], takeover[2], false })
  return takeover
end

-- Ends the takeover of a token, if there is one. Returns it if it was still under way, else nil.
local function end_takeover(user, locator, reason)
  local t = redis.call('HMGET', key('t', locator), 't', 's', 'i', 'z')
  if not t[1] then return nil end
  return end_packed_takeover(user, locator, t[1], reason, token_facts(t[2], t[3], t[4]))
end

