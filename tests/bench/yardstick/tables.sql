-- What a careful team would have: one order, with its key's uniqueness, and one outbox row.
CREATE TABLE orders (
    id uuid PRIMARY KEY, idempotency_key text NOT NULL UNIQUE, content_hash bytea NOT NULL,
    email text NOT NULL, currency text NOT NULL, total bigint NOT NULL, payment_method text NOT NULL,
    lines jsonb NOT NULL, address jsonb NOT NULL, status text NOT NULL DEFAULT 'accepted',
    created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text NOT NULL, order_id uuid NOT NULL,
    payload jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
