-- Revokes a token of which a rotated-out secret was used again.
-- Why a script: the comparison and the revocation are one step, because the record that a node judged by may be older than
-- the last rotation.
-- KEYS     the token
-- ARGV[2]  locator
-- ARGV[3]  hash of the secret that was used
-- Returns the user if it revoked the token, nil if there was nothing to revoke.
local t, err = load_or_purge(a.locator)
if err then return err end
if not t or t.is_revoked then return nil end
-- No token is lost by a lock. The secret is judged again after it.
if bit.band(t.flags, LOCKED) ~= 0 then return nil end
local token = key('t', a.locator)
local secrets = previous_secrets(redis.call('HGET', token, 'p') or '')
if not secrets then return corrupt(token, 'p') end
local is_reused = count(secrets, function(secret) return secret.hash == ARGV[3] and is_remembered(secret) end) > 0
if not is_reused then return nil end
emit(t.user, { k = 'token.reuse_detected', l = a.locator }, read_facts(a.locator))
revoke_token(t.user, a.locator, t.flags, 'reuse')
prune_and_fit_ttl(t.user)
return finish(t.user)
