-- Why a script: whether a secret is a rotated-out one and what follows must be one step: the record that a node judged by may
-- be older than the last rotation.
-- ARGV[2]  locator; then ARGV[3], the hash of the secret presented
-- Gives 1 when it ended the token, 0 when there was nothing to end.
local t, broken = find(a.locator)
if broken then return broken end
if not t or t.ended then return 0 end
local reused, broken = is_rotated_out(a.locator, ARGV[3])
if broken then return broken end
if not reused then return 0 end
emit(t.user, { k = 'token.reuse_detected', l = a.locator })
end_token(t.user, a.locator, t.flags, 'reuse')
settle(t.user)
return finish(1)
