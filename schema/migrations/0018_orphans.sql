-- serves-from: 1
-- Differences between the provider's books and ours, as the last sweep found them.
-- side: 1 an intent of the provider's that no attempt of ours has; 2 an attempt of ours whose intent
-- the provider does not know; 3 an intent and its attempt that differ about whether money was taken.
CREATE TABLE orphan (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider    text NOT NULL,
    side        smallint NOT NULL CHECK (side IN (1, 2, 3)),
    intent_id   text NOT NULL,
    order_id    uuid,                   -- that the intent names, or whose attempt it is
    status      text NOT NULL,          -- at the provider; '' of side 2
    amount      bigint NOT NULL,        -- minor units
    received    bigint NOT NULL,        -- … of which the provider has taken
    currency    text NOT NULL,
    created_at  timestamptz NOT NULL,   -- of the intent, or of the attempt
    found_at    timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,            -- it is gone; NULL: it stands
    resolved_by text NOT NULL DEFAULT '',
    CONSTRAINT orphan_one UNIQUE (provider, side, intent_id)
);
CREATE INDEX orphan_open ON orphan (id) WHERE resolved_at IS NULL;

-- One row: who compares the books, and when again.  Each write of a sweep carries its fence.
CREATE TABLE orphan_sweep (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    fence    bigint NOT NULL DEFAULT 0,
    holder   text NOT NULL DEFAULT '',
    until    timestamptz NOT NULL DEFAULT '-infinity', -- whoever sweeps says so before this
    due_at   timestamptz NOT NULL DEFAULT now(),
    begun_at timestamptz,
    ended_at timestamptz NOT NULL DEFAULT now()        -- of the last whole one
) WITH (fillfactor = 10);
INSERT INTO orphan_sweep DEFAULT VALUES;

-- The intents that the sweep under way has seen at the provider.  A crash that empties it costs
-- look-ups.
CREATE UNLOGGED TABLE orphan_seen (
    fence     bigint NOT NULL,
    intent_id text NOT NULL,
    PRIMARY KEY (fence, intent_id)
);

GRANT SELECT, INSERT, UPDATE ON orphan TO docket_worker;
GRANT SELECT, UPDATE ON orphan_sweep TO docket_worker;
GRANT SELECT, INSERT, DELETE ON orphan_seen TO docket_worker;
GRANT SELECT, UPDATE ON orphan TO docket_api;
GRANT SELECT ON orphan_sweep TO docket_api;
GRANT SELECT ON orphan, orphan_sweep TO docket_relay;
