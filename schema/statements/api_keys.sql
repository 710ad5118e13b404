-- Every key that is valid now: the API keeps them in memory.
SELECT id, account_id, hash, scopes @> ARRAY['checkout'], scopes @> ARRAY['orders:read'],
       scopes @> ARRAY['operator'], name
FROM api_key WHERE revoked_at IS NULL
