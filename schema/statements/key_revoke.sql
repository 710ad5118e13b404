-- From now on the key is worth nothing; a key that was revoked before stays so.
--   $1 id
UPDATE api_key SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1::int8
RETURNING jsonb_build_object('id', id, 'name', name, 'revoked_at', revoked_at)::text
