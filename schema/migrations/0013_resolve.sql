-- serves-from: 1
-- What an operator knows of a payment that no look-up can settle.

-- 0 nothing, 1 captured, 2 declined, 3 canceled.  The worker that takes the payment up learns this
-- instead of asking the provider.
ALTER TABLE payment_attempt ADD COLUMN resolution smallint NOT NULL DEFAULT 0;

-- Settles the newest payment of an order, if it is unknown, differs from ours, or its order is on hold.
-- The order is locked first; what is looked at is younger than the lock, and the version is raised:
-- whoever works on it is overtaken, and decides anew.
--   outcome: 'resolved', 'not_found', or what stands against it: 'resolved_before', 'over', 'undone',
--   'not_unknown', 'no_payment'
CREATE FUNCTION payment_resolve(asked uuid, who text, why text, told smallint, evidence text,
                                OUT outcome text, OUT number smallint, OUT version integer, OUT audit bigint)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    held record;
    paying record;
    told_name text := (ARRAY['captured', 'declined', 'canceled'])[told];
BEGIN
    SELECT o.version, o.status, o.trace, o.undo INTO held FROM orders o WHERE o.id = asked FOR UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;
    SELECT p.number, p.state, p.resolution INTO paying
    FROM payment_attempt p WHERE p.order_id = asked ORDER BY p.number DESC LIMIT 1;
    number := paying.number;
    outcome := CASE WHEN paying IS NULL THEN 'no_payment'
                    WHEN paying.resolution <> 0 THEN 'resolved_before'
                    WHEN held.undo <> 0 THEN 'undone'
                    WHEN paying.state IN (3, 4, 7) THEN 'over'
                    WHEN paying.state NOT IN (6, 8) AND held.status <> 8 THEN 'not_unknown'
                    ELSE 'resolved' END;
    IF outcome <> 'resolved' THEN
        RETURN;
    END IF;
    version := held.version + 1;
    audit := audit_append(who, 'payment resolve', 'order ' || asked, why,
                          jsonb_build_object('attempt', number, 'as', told_name, 'evidence', evidence));
    UPDATE orders o SET version = held.version + 1, updated_at = clock_timestamp() WHERE o.id = asked;
    UPDATE payment_attempt p SET resolution = told WHERE p.order_id = asked AND p.number = paying.number;
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    VALUES (asked, held.version + 1, 'payment_resolved', held.status, 'api',
            jsonb_build_object('by', who, 'reason', why, 'attempt', number, 'as', told_name,
                               'evidence', evidence, 'audit', audit));
    UPDATE task t
    SET state = 1, attempt = 0, doubted = 0, crashes = 0, sweeps = 0, worker_id = NULL, due_at = NULL,
        parked_at = NULL, fault_kind = '', fault_code = '', fault_text = ''
    WHERE t.order_id = asked AND t.stage = 1;
    UPDATE dead_letter d SET state = 'replaying'
    WHERE d.order_id = asked AND d.stage = 1 AND d.state = 'open';
    INSERT INTO outbox (topic, order_ids, traces) VALUES (1, ARRAY[asked], ARRAY[held.trace]);
END $$;
REVOKE EXECUTE ON FUNCTION payment_resolve(uuid, text, text, smallint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION payment_resolve(uuid, text, text, smallint, text) TO docket_api;
