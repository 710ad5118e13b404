-- A new API key; the account is made if its name is new.
--   $1 account  $2 name  $3 prefix  $4 SHA-256 of the key  $5 scopes
WITH owner AS (
    INSERT INTO account (name) VALUES ($1::text)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name
    RETURNING id
)
INSERT INTO api_key (account_id, name, prefix, hash, scopes)
SELECT id, $2::text, $3::text, $4::bytea, $5::text[] FROM owner
RETURNING id, account_id
