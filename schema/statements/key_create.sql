-- A new API key; the account is made if its name is new.
--   $1 who  $2 why  $3 account  $4 name  $5 prefix  $6 SHA-256 of the key  $7 scopes
WITH owner AS (
    INSERT INTO account (name) VALUES ($3::text)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name
    RETURNING id
), made AS (
    INSERT INTO api_key (account_id, name, prefix, hash, scopes)
    SELECT id, $4::text, $5::text, $6::bytea, $7::text[] FROM owner
    RETURNING id, account_id
)
SELECT id, account_id,
       audit_append($1::text, 'key create', 'key ' || id, $2::text, jsonb_build_object(
           'name', $4::text, 'account', $3::text, 'prefix', $5::text, 'scopes', $7::text[]))
FROM made
