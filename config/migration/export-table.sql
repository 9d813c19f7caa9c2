-- Writes the tokens of a site's own table for `doorward import`, one per line, from MySQL, MariaDB or SQLite; a pattern
-- to change:
--   mysql --batch --raw --skip-column-names site < export-table.sql > tokens.ndjson
-- The file has the token strings: write it with `umask 077`, and delete it after the import, which sends hashes only.
SELECT JSON_OBJECT(
    'scheme', 'sha256',
    -- A table that stores the SHA-256 in hex digits: 'digest', token_hash.
    'token', token,
    -- What the site calls its users in `POST /v1/tokens`, and the applications get as X-Auth-User.
    'user', CAST(user_id AS CHAR(20)),
    -- The time is in UTC. REPLACE appends the Z, because no operator joins strings in all of these databases.
    'created_at', REPLACE(REPLACE('@Z', '@', created_at), ' ', 'T')
)
FROM sessions
ORDER BY created_at, token;
