-- From now on the key is worth nothing; a key that was revoked before stays so, and nothing was done.
--   $1 who  $2 why  $3 id
WITH revoked AS (
    UPDATE api_key SET revoked_at = now() WHERE id = $3::int8 AND revoked_at IS NULL
    RETURNING id, name, revoked_at
), act AS (
    SELECT audit_append($1::text, 'key revoke', 'key ' || id, $2::text,
                        jsonb_build_object('name', name)) AS id
    FROM revoked
)
SELECT jsonb_build_object('id', k.id, 'name', k.name,
                          'revoked_at', coalesce((SELECT revoked_at FROM revoked), k.revoked_at),
                          'audit', (SELECT id FROM act))::text
FROM api_key k WHERE k.id = $3::int8
