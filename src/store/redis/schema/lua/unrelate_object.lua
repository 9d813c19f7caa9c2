-- Takes an object from a token.
-- Why a script: the list of objects is read and written in one step.
-- KEYS     the token
-- ARGV[2]  locator
--          object    {content type, object id}
--          young_ms  how long a reverse-index entry is young
-- Returns {0} no such token, {1, its user, its fields} the token does not have the object any more, {2} revoked.
local t, err = load_or_purge(a.locator)
if err then return err end
if not t then return { 0 } end
if t.is_revoked then return { 2 } end
local related, at = find_object(a.locator, a.object)
if at then
  table.remove(related, at)
  write_related(a.locator, related)
  update_taken(a.locator, a.object, true, a.young_ms)
end
return finish({ 1, t.user, redis.call('HGETALL', key('t', a.locator)) })
