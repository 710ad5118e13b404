-- All keys, without the keys.
SELECT jsonb_build_object('keys', coalesce(jsonb_agg(jsonb_build_object(
           'id', k.id, 'account', a.name, 'name', k.name, 'prefix', k.prefix, 'scopes', k.scopes,
           'created_at', k.created_at, 'revoked_at', k.revoked_at) ORDER BY k.id), '[]'))::text
FROM api_key k JOIN account a ON a.id = k.account_id
