-- serves-from: 1
-- What a customer is told of a payment, and since when it is unknown or over.

ALTER TABLE payment_attempt
    -- Of a declined one, written once: what was told never changes with a later table of reasons.
    ADD COLUMN decline_reason   text NOT NULL DEFAULT '',     -- ours; decline_code is the provider's
    ADD COLUMN retry_same_card  boolean NOT NULL DEFAULT false,
    ADD COLUMN try_another_card boolean NOT NULL DEFAULT false,
    ADD COLUMN next_action      text NOT NULL DEFAULT '',     -- JSON: what the front end needs
    -- The intent was canceled at the provider (or there is none): no money can move by it any more.
    ADD COLUMN fenced           boolean NOT NULL DEFAULT false,
    ADD COLUMN unknown_since    timestamptz,                  -- also while it is confirmed again
    ADD COLUMN ended_at         timestamptz;                  -- declined or voided

UPDATE payment_attempt SET unknown_since = sent_at WHERE state = 6;
UPDATE payment_attempt SET fenced = true WHERE state = 7;

-- In the place of payment_attempt_unknown: sent_at moves with each confirm under a next key.
CREATE INDEX payment_attempt_unknown_since ON payment_attempt (unknown_since) WHERE state = 6;
DROP INDEX payment_attempt_unknown;

-- What a discard does to the order of a letter, in the place of 0006's: a declined payment is over
-- only once its intent is.
CREATE OR REPLACE FUNCTION dead_fate(letter_order uuid, letter_stage smallint, letter_state text)
    RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN letter_state <> 'open' THEN 'kept_moving'
        WHEN o.id IS NULL OR o.final THEN 'closes'
        WHEN t.state IS DISTINCT FROM 6 THEN 'kept_moving'
        WHEN letter_stage <> 1 OR a.state = 3 THEN 'kept_paid'
        WHEN o.status IN (1, 2, 5, 6, 7, 8)
             AND (coalesce(a.state, 1) IN (1, 7) OR a.state = 4 AND a.fenced) THEN 'cancels'
        ELSE 'kept_unknown' END
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (SELECT id, final, status FROM orders WHERE id = letter_order LIMIT 1) AS o ON true
    LEFT JOIN LATERAL (SELECT state FROM task WHERE order_id = letter_order AND stage = letter_stage
                       LIMIT 1) AS t ON true
    LEFT JOIN LATERAL (SELECT state, fenced FROM payment_attempt WHERE order_id = letter_order
                       ORDER BY number DESC LIMIT 1) AS a ON true
$$;
