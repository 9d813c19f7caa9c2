-- Why a script: whether a secret is a rotated-out one and what follows must be one step: the look-up that found it
-- wrong may be older than the rotation that made it right.
-- ARGV[2]  locator; then ARGV[3], the hash of the secret presented
-- Gives 1 when it ended the token, 0 when there was nothing to end.
local t, broken = find(a.locator)
if broken then return broken end
if not t or t.ended then return 0 end
local presented = ARGV[3]
if redis.call('HGET', key('t', a.locator), 'h') == presented then return 0 end
for _, entry in ipairs(previous_secrets(a.locator)) do
  if string.sub(entry, 1, SECRET_HASH) == presented then return 0 end
end
emit(t.user, { k = 'token.reuse_detected', l = a.locator })
end_token(t.user, a.locator, t.flags, 'reuse')
settle(t.user)
return finish(1)
