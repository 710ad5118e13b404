-- serves-from: 1
-- What operators see: rates, and what a replay would do; members of old runs are taken away.

-- How many rows were inserted since Postgres began to count, by its own statistics: nothing is read for
-- it.  Rows that were rolled back count too, and after a crash it begins at 0.
CREATE FUNCTION rate_counts(OUT accepted bigint, OUT payments bigint, OUT shipped bigint, OUT dead bigint)
    LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(pg_stat_get_tuples_inserted(inhrelid))
                    FILTER (WHERE inhparent = 'public.orders'::regclass), 0)::int8,
           coalesce(sum(pg_stat_get_tuples_inserted(inhrelid))
                    FILTER (WHERE inhparent = 'public.payment_attempt'::regclass), 0)::int8,
           coalesce(sum(pg_stat_get_tuples_inserted(inhrelid))
                    FILTER (WHERE inhparent = 'public.shipment'::regclass), 0)::int8,
           pg_stat_get_tuples_inserted('public.dead_letter'::regclass)
    FROM pg_inherits
    WHERE inhparent IN ('public.orders'::regclass, 'public.payment_attempt'::regclass,
                        'public.shipment'::regclass)
$$;

-- Every ten seconds the leading relay notes these counts, and from where on the outbox has rows; the
-- last two minutes are kept.
CREATE TABLE rate_sample (
    slot         smallint PRIMARY KEY,
    at           timestamptz NOT NULL,
    outbox_floor bigint NOT NULL,
    accepted     bigint NOT NULL,
    payments     bigint NOT NULL,
    shipped      bigint NOT NULL,
    dead         bigint NOT NULL
) WITH (fillfactor = 10);

-- What a replay of a letter would do, as the books stand:
--   pays: the payment is asked for, since nobody was asked yet
--   looks_up: the provider was asked; it is looked up first, and nothing is charged twice
--   went_paid: it is paid already; the payment is not asked for again
--   ships: it is paid; the carrier is asked, under the reference it may know
--   shipped: the shipment is in the books; nothing is sent
--   goes_on: another step, which goes on where it stopped
--   no_order, order_canceled, order_final, went_on, replaying, resolved, discarded: it is skipped
CREATE FUNCTION replay_plan(letter_order uuid, letter_stage smallint, letter_state text) RETURNS text
    LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN letter_state <> 'open' THEN letter_state
        WHEN o.id IS NULL THEN 'no_order'
        WHEN o.status = 10 AND letter_stage <> 4 THEN 'order_canceled'
        WHEN o.final AND letter_stage <> 4 THEN 'order_final'
        WHEN t.state IS DISTINCT FROM 6 THEN 'went_on'
        WHEN letter_stage = 2 THEN CASE WHEN s.order_id IS NULL THEN 'ships' ELSE 'shipped' END
        WHEN letter_stage <> 1 THEN 'goes_on'
        WHEN a.state = 3 THEN 'went_paid'
        WHEN a.state IS NULL OR a.state IN (1, 4, 7) THEN 'pays'
        ELSE 'looks_up' END
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (SELECT id, final, status FROM orders WHERE id = letter_order LIMIT 1) AS o ON true
    LEFT JOIN LATERAL (SELECT state FROM task WHERE order_id = letter_order AND stage = letter_stage
                       LIMIT 1) AS t ON true
    LEFT JOIN LATERAL (SELECT state FROM payment_attempt WHERE order_id = letter_order
                       ORDER BY number DESC LIMIT 1) AS a ON true
    LEFT JOIN LATERAL (SELECT order_id FROM shipment WHERE order_id = letter_order LIMIT 1) AS s ON true
$$;

-- Members of a run that ended a month ago are taken away; the run stays, with its counts.
ALTER TABLE replay_run ADD COLUMN trimmed_at timestamptz;
CREATE INDEX replay_run_ended ON replay_run (ended_at) WHERE ended_at IS NOT NULL AND trimmed_at IS NULL;

GRANT SELECT, INSERT, UPDATE ON rate_sample TO docket_relay;
GRANT SELECT ON rate_sample TO docket_api;
GRANT DELETE ON replay_item TO docket_relay;

CREATE FUNCTION per_minute(delta bigint, since timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT greatest(0, round(delta * 60 / extract(epoch FROM clock_timestamp() - since)))::int8
$$;

-- What the API may ask of tables that it may not read.

-- Is it the order of this e-mail address?
CREATE FUNCTION order_is_of(asked uuid, email_address text) RETURNS boolean LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce((SELECT lower(c.email) = lower(email_address) FROM public.order_contact c
                     WHERE c.order_id = asked LIMIT 1), false)
$$;

-- How long the last outcomes of a run took to come.
CREATE FUNCTION replay_outcome_ms(run bigint) RETURNS bigint LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT (avg(extract(epoch FROM i.ended_at - i.released_at)) * 1000)::int8
    FROM (SELECT ended_at, released_at FROM public.replay_item
          WHERE run_id = run AND state IN ('succeeded', 'failed')
          ORDER BY letter_id DESC LIMIT 100) AS i
$$;

-- What holds the next member of a run back, by name; NULL: nothing.
CREATE FUNCTION replay_waits_for(run bigint, after bigint) RETURNS text LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT string_agg(DISTINCT b.name, ', ')
    FROM (SELECT stage FROM public.replay_item
          WHERE run_id = run AND letter_id > after AND state = 'waiting'
          ORDER BY run_id, letter_id LIMIT 1) AS next
    JOIN public.breaker b ON b.stage = next.stage AND (b.held OR b.state <> 1)
$$;
REVOKE EXECUTE ON FUNCTION order_is_of(uuid, text), replay_outcome_ms(bigint),
    replay_waits_for(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION order_is_of(uuid, text), replay_outcome_ms(bigint) TO docket_api;
GRANT EXECUTE ON FUNCTION replay_waits_for(bigint, bigint) TO docket_api, docket_relay;
