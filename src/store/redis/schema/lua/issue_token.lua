-- Issues a token to a user below the limits, as nearly all are; issue_token_at_limit.lua is for the others.
-- Why a script: the token and its index entry appear together, and the limit per user holds under concurrent logins.
-- KEYS, ARGV[1…9]  see shared/short_context.lua
-- ARGV[10]  user
-- ARGV[11]  locator
-- ARGV[12]  created_at_ms
-- ARGV[13]  accessed_at_ms
-- ARGV[14]  expires_at_ms
-- ARGV[15]  max, live tokens per user
-- ARGV[16]  the event, packed
-- ARGV[17…] the fields of the token's hash
-- Returns 1; 2 if the user is locked; 3 if the user is at a limit: then no token was issued.
local user, locator = ARGV[10], ARGV[11]
local index, lock = ARGV[3] .. 'u' .. named .. user, ARGV[3] .. 'l' .. named .. user
-- Fails while the slot migrates, as in context.lua: the token does not exist.
if redis.call('EXISTS', token, lock) > 0 then
  if redis.call('EXISTS', lock) == 1 then return 2 end
  return redis.error_reply('DWEXISTS the token id is taken')
end
local left_ms, max = string.format('%d', ARGV[14] + ARGV[8] - now_ms), tonumber(ARGV[15])
local members = redis.call('ZCARD', index)

-- The usual case: the user has no token, or nothing is to be pruned, no limit is near, and there are # members.
local is_usual, has_age = members == 0, false
-- Up to three members are those of one token, which has no # member, or once had company.
if members > 3 and members < max then
  local cutoff_ms = now_ms - ARGV[8]
  local past = redis.call('ZCOUNT', index, 0, string.format('%d', cutoff_ms))
    + redis.call('ZCOUNT', index, '1125899906842624', string.format('%d', 2 ^ 50 + cutoff_ms))
  has_age = past == 0 and string.byte(redis.call('ZRANGE', index, 0, 0)[1]) == 35
  is_usual = has_age
end
if is_usual then
  redis.call('HSET', token, unpack(ARGV, 17))
  redis.call('PEXPIRE', token, left_ms)
  if has_age then
    redis.call('ZADD', index, ARGV[14], locator, '-' .. ARGV[13], '@' .. locator,
      string.format('%d', ARGV[12] - 2 ^ 51), '#' .. locator)
    -- The index lives as long as its longest-lived token.
    redis.call('PEXPIRE', index, left_ms, 'GT')
  else
    redis.call('ZADD', index, ARGV[14], locator, '-' .. ARGV[13], '@' .. locator)
    redis.call('PEXPIRE', index, left_ms)
  end
else
  -- INDEX: scripts.rs replaces this mark with the functions of the user's index.
  prune(user)
  local others = redis.call('ZCOUNT', index, 0, BELOW_REVOKED)
  -- No user has more tokens than members.
  if members >= max then
    local revoked = redis.call('ZCOUNT', index, REVOKED, '+inf')
    if math.max(others, revoked) >= max then return 3 end
  end
  redis.call('HSET', token, unpack(ARGV, 17))
  redis.call('PEXPIRE', token, left_ms)
  local entry = { locator = locator, created_at_ms = tonumber(ARGV[12]), expires_at_ms = tonumber(ARGV[14]) }
  add_to_index(user, entry, tonumber(ARGV[13]), others)
  fit_ttl(user)
end
local event = ARGV[16]
-- EVENT: scripts.rs replaces this mark with shared/short_event.lua.
return 1
