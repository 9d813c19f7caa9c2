-- Revokes one token, if it is related to an object.
-- Why a script: a token that was taken from the object meanwhile must not be revoked with it.
-- KEYS     the token
-- ARGV[2]  locator
--          object   {content type, object id}
-- Returns 1 if it revoked the token, 0 if the token was revoked before, 2 if there is no such token or it does not name the
-- object.
local t, err = load_or_purge(a.locator, true)
if err then return err end
if not t then return 2 end
if t.is_revoked then return 0 end
local _, at = find_object(a.locator, a.object)
if not at then return 2 end
if t.is_expired then
  purge(t.user, a.locator)
  prune_and_fit_ttl(t.user)
  return 2
end
revoke_token(t.user, a.locator, t.flags, 'related')
-- The caller removes this object's entries, for all of its tokens together. The entries of field r come first in the list.
table.remove(stale_token_entries, at)
prune_and_fit_ttl(t.user)
return finish(1)
