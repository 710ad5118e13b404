-- serves-from: 1
-- Webhooks: one row is one event of a provider's, kept under its unique id before the provider is told
-- that we have it.  Nothing of its content is kept but whom it is about: what happened is asked of the
-- provider.  It is the relay's until due_at is NULL.
CREATE TABLE webhook_inbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider    text NOT NULL,
    event_id    text NOT NULL,
    type        text NOT NULL,
    stage       smallint NOT NULL,               -- whose task has to look; 0: nobody's
    says        smallint NOT NULL,               -- the attempt's state that it tells of; 0: of none
    intent_id   text NOT NULL,
    order_id    uuid,                            -- that the intent's metadata names
    received_at timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz DEFAULT now(),
    tries       integer NOT NULL DEFAULT 0,
    outcome     text NOT NULL DEFAULT '',        -- queue/webhooks.h has the words
    CONSTRAINT webhook_inbox_event UNIQUE (provider, event_id)
) WITH (fillfactor = 70);
CREATE INDEX webhook_inbox_due ON webhook_inbox (due_at) WHERE due_at IS NOT NULL;

GRANT SELECT, INSERT ON webhook_inbox TO docket_api;
GRANT SELECT, UPDATE, DELETE ON webhook_inbox TO docket_relay;
GRANT SELECT ON payment_attempt TO docket_relay;
