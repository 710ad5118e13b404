-- serves-from: 1
-- How an order is undone: canceled, and what was taken given back.

-- undo: why it is undone.  0 it is not, 1 somebody asked for it, 2 it cannot be delivered.
ALTER TABLE orders
    ADD COLUMN undo    smallint NOT NULL DEFAULT 0,
    ADD COLUMN undo_at timestamptz;

-- One try to give money back; its key (from order and number), intent and amount are frozen here before
-- anything is sent.  state: 1 opened, 2 sent, 3 accepted by the provider, 4 unknown, 5 made, 6 refused.
CREATE TABLE refund (
    order_id    uuid NOT NULL,
    number      smallint NOT NULL,
    attempt     smallint NOT NULL,              -- the payment_attempt that it gives back
    provider    text NOT NULL,
    intent_id   text NOT NULL,
    amount      bigint NOT NULL CHECK (amount > 0),
    currency    text NOT NULL,
    state       smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 6),
    keys        smallint NOT NULL DEFAULT 1,    -- the key of the next send ends in this number
    provider_id text NOT NULL DEFAULT '',
    actor       text NOT NULL,                  -- who asked for it
    reason      text NOT NULL,
    opened_at   timestamptz NOT NULL DEFAULT now(),
    sent_at     timestamptz,                    -- when it was about to be sent last
    ended_at    timestamptz,
    PRIMARY KEY (order_id, number)
) PARTITION BY RANGE (order_id);

-- Never more than was captured: what is on its way counts, what the provider refused does not.
ALTER TABLE payment_attempt
    ADD COLUMN given_back bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT payment_attempt_gives_back_its_own CHECK (given_back BETWEEN 0 AND captured) NOT VALID;

CREATE FUNCTION refund_count() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public AS $$
DECLARE
    change bigint := 0;
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.state <> 6 THEN
        change := change - OLD.amount;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.state <> 6 THEN
        change := change + NEW.amount;
    END IF;
    IF change <> 0 THEN
        UPDATE payment_attempt SET given_back = given_back + change
        WHERE order_id = coalesce(NEW.order_id, OLD.order_id)
          AND number = coalesce(NEW.attempt, OLD.attempt);
        IF NOT FOUND THEN
            RAISE EXCEPTION 'refund of a payment that is not there' USING ERRCODE = 'foreign_key_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refund_count AFTER INSERT OR DELETE OR UPDATE OF amount, state ON refund
    FOR EACH ROW EXECUTE FUNCTION refund_count();

CREATE OR REPLACE FUNCTION make_partitions(ahead integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public AS $$
DECLARE
    parent text;
    child text;
    month timestamptz;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('docket make_partitions'));
    FOREACH parent IN ARRAY ARRAY['orders', 'order_line', 'order_contact', 'order_event', 'task',
                                  'payment_attempt', 'shipment', 'reservation', 'refund'] LOOP
        FOR n IN -1 .. ahead LOOP
            month := date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
            month := (month AT TIME ZONE 'UTC' + make_interval(months => n)) AT TIME ZONE 'UTC';
            child := parent || to_char(month AT TIME ZONE 'UTC', '_YYYY_MM');
            CONTINUE WHEN to_regclass(child) IS NOT NULL;
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', child,
                parent, month_floor(month),
                month_floor((month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'));
            IF parent IN ('orders', 'task', 'payment_attempt', 'reservation', 'refund') THEN
                EXECUTE format('ALTER TABLE %I SET (fillfactor = 70)', child);
            END IF;
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
SELECT make_partitions(13);

INSERT INTO claimed (stage) VALUES (3), (4);

GRANT UPDATE (undo, undo_at) ON orders TO docket_worker;
GRANT SELECT ON refund TO docket_api;
GRANT SELECT, INSERT, UPDATE ON refund TO docket_worker;
