-- Writes the tokens of Laravel Sanctum for `doorward import`, one per line, from MySQL, MariaDB or SQLite:
--   mysql --batch --raw --skip-column-names site < export-sanctum.sql > tokens.ndjson
-- The times are in UTC, unless `timezone` in config/app.php says otherwise. If config/sanctum.php has an `expiration`,
-- write created_at plus that time in place of expires_at. The import skips tokens that have expired.
SELECT JSON_OBJECT(
    'scheme', 'sanctum',
    'digest', token,
    -- What the site calls its users in `POST /v1/tokens`, and the applications get as X-Auth-User.
    'user', CAST(tokenable_id AS CHAR(20)),
    -- REPLACE appends the Z, because no operator joins strings in all of these databases.
    'created_at', REPLACE(REPLACE('@Z', '@', created_at), ' ', 'T'),
    'expires_at', REPLACE(REPLACE('@Z', '@', expires_at), ' ', 'T')
)
FROM personal_access_tokens
WHERE tokenable_type LIKE '%User'
ORDER BY id;
