-- Erasing single tokens and histories of a user. Needs devices.lua.

-- Erases the takeovers by a token, of which no record is left to say until when their reverse-index entries are kept.
local function erase_takeovers(user, locator)
  local fields = redis.pcall('HGETALL', key('o', locator))
  for at = 1, #fields, 2 do
    local is_whole, takeover = pcall(cmsgpack.unpack, fields[at + 1])
    if #fields[at] == LOCATOR_CHARS and is_whole and type(takeover) == 'table' and type(takeover[2]) == 'string' then
      table.insert(stale_takeover_entries, { locator, fields[at], takeover[2], true })
    end
  end
  redis.call('UNLINK', key('o', locator))
  redis.call('ZREM', key('a', user), locator)
end

-- Erases a token, and returns whether it was live. A corrupt one, too: nothing reads it any more.
local function erase_token(user, locator)
  local t = redis.pcall('HMGET', key('t', locator), 'f', 'x', 't', 'r', 'q', 's', 'i', 'z')
  local flags, expires_at_ms = tonumber(t[1]), tonumber(t[2])
  local is_live = flags and is_active(flags) and expires_at_ms and expires_at_ms > now_ms
  if is_live then
    local facts = token_facts(t[6], t[7], t[8])
    if t[3] then end_packed_takeover(user, locator, t[3], 'erased', facts) end
    emit(user, { k = 'token.revoked', l = locator, w = 'erased' }, facts)
  end
  pcall(collect_stale_entries, locator, t[4])
  pcall(collect_stale_entries, locator, t[5])
  erase_takeovers(user, locator)
  purge(user, locator)
  return is_live
end

