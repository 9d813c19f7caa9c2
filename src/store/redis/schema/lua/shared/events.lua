-- Events of users, and the reply of a script that may emit some. Needs context.lua.

-- The longest stored form of a user agent in an event: it exists once per event. Its text is no shorter
-- (codec/user_agent.rs), and the codec cuts that at the same length.
local USER_AGENT_BYTES = 128

-- Returns a user agent's stored form as events have it, cut at the end of a character, or nil.
local function shortened(user_agent)
  if type(user_agent) ~= 'string' or user_agent == '' then return nil end
  local length = math.min(#user_agent, USER_AGENT_BYTES)
  -- Bytes 0x80 to 0xBF continue a character.
  while bit.band(string.byte(user_agent, length + 1) or 0, 0xC0) == 0x80 do length = length - 1 end
  return string.sub(user_agent, 1, length)
end

-- Returns what events tell of a token: i address, g user agent, s slug, b backend. Takes the token's fields s, i and z. A
-- garbled field is left out: it must not keep a token from being revoked.
local function token_facts(slug, terms, cold)
  local facts = { s = slug or nil }
  local is_whole, unpacked = pcall(cmsgpack.unpack, terms)
  if is_whole and type(unpacked) == 'table' then facts.b = unpacked[3] end
  is_whole, unpacked = pcall(cmsgpack.unpack, cold)
  if is_whole and type(unpacked) == 'table' then facts.i, facts.g = unpacked[1], shortened(unpacked[2]) end
  return facts
end

-- The kinds of events that every node hears, on a channel of their own: it remembers them (replay/mod.rs). The others are for
-- readers of the feed only.
local ENDINGS = {
  ['token.revoked'] = true, ['takeover.ended'] = true, ['device.ended'] = true, ['user.locked'] = true,
  ['user.unlocked'] = true, ['user.erased'] = true,
}

-- Events to write when the script ends: {{user, packed event, channel}, ...}
local emitted = {}

-- Emits an event of a user: k kind, l the token's locator, o the takeover's, u the user taken over, d the device's uuid,
-- w the reason; of an ended device key also y its locator, and m the version in which it was deactivated. `facts` are the facts
-- of its token, from token_facts.
local function emit(user, event, facts)
  event.t, event.a = now_ms, ctx.actor
  if facts then
    for name, fact in pairs(facts) do event[name] = fact end
  end
  local channel = ENDINGS[event.k] and ctx.channel .. ':endings' or ctx.channel
  table.insert(emitted, { user, cmsgpack.pack(event), channel })
end

-- Reverse-index entries in other slots that this script made stale. Of tokens: {locator, content type, object id, whether
-- the token is revoked} each. Of takeovers: {token's locator, takeover's locator, user taken over, whether its record is gone;
-- if not, it has only ended} each.
local stale_token_entries, stale_takeover_entries = {}, {}

-- Writes the emitted events to the users' histories, newest first, and publishes them. Must be the last thing a script
-- does. With `always_trims` it calls the same commands whether the history is full or not. Returns the script's answer; if
-- reverse-index entries are stale, {status STALE, packed entries, answer}.
local function finish(answer, always_trims)
  local of_users = {}
  for _, pair in ipairs(emitted) do
    local user, event = pair[1], pair[2]
    of_users[user] = of_users[user] or {}
    table.insert(of_users[user], event)
    redis.call('PUBLISH', pair[3], ctx.hash_tag .. user .. '\0' .. event)
  end
  for user, events in pairs(ctx.max_events > 0 and of_users or {}) do
    -- Events beyond the limit are only published. A history of another type must not undo what the script did, so its
    -- error is ignored here; the next listing reports it.
    local first = math.max(1, #events - ctx.max_events + 1)
    local pushed = redis.pcall('LPUSH', key('e', user), unpack(events, first))
    if type(pushed) == 'number' then
      if always_trims or pushed > ctx.max_events then
        redis.call('LTRIM', key('e', user), 0, ctx.max_events - 1)
      end
      redis.call('PEXPIRE', key('e', user), decimal(ctx.event_ttl_ms))
    end
  end
  -- An error reply has no room for the entries: they stay until they expire.
  local is_error = type(answer) == 'table' and answer.err
  if is_error or #stale_token_entries + #stale_takeover_entries == 0 then return answer end
  return { { ok = 'STALE' }, cmsgpack.pack({ stale_token_entries, stale_takeover_entries }), answer }
end

