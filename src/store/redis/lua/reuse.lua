-- Why a script: whether a secret is a rotated-out one and what follows must be one step: the look-up that found it
-- wrong may be older than the rotation that made it right.
-- ARGV[2]  locator; then ARGV[3], the hash of the secret presented
-- Gives 1 when it ended the token, 0 when there was nothing to end.
local t, broken = find(a.locator)
if broken then return broken end
if not t or t.ended then return 0 end
local presented = ARGV[3]
local secrets = redis.call('HMGET', key('t', a.locator), 'h', 'p')
if secrets[1] == presented then return 0 end
for at = 1, #(secrets[2] or ''), 29 do
  local hash, deadline = string.sub(secrets[2], at, at + 15), tonumber(string.sub(secrets[2], at + 16, at + 28))
  if hash == presented and deadline and deadline > now then return 0 end
end
emit(t.user, { k = 'token.reuse_detected', l = a.locator })
end_token(t.user, a.locator, t.flags, 'reuse')
fit_ttl(t.user)
return finish(1)
