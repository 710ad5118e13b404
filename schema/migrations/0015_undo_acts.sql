-- serves-from: 1
-- What people ask for: that an order is canceled, that money is given back.  Each locks the order
-- first, and looks at its tasks and its money in a snapshot that is younger than the lock; it raises
-- the version, so whoever works on the order is overtaken, and decides anew.

-- Cancels an order whose status is one of `from_statuses`.  Whether that is before money, a void or a
-- refund is found out by the workers.  Where the carrier may have been asked already, it is looked up
-- first.  operator: an act for the audit.
--   outcome: 'canceling' (now, or already), 'ended' (it was canceled or refunded before), 'shipped',
--   'not_found'
CREATE FUNCTION order_cancel(asked uuid, who text, why text, from_statuses smallint[], is_operator boolean,
                             OUT outcome text, OUT status smallint, OUT version integer, OUT audit bigint)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    held record;
    is_asked boolean;    -- the carrier may have been
    woken smallint;
BEGIN
    SELECT o.version, o.status, o.trace INTO held FROM orders o WHERE o.id = asked FOR UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;
    status := held.status;
    version := held.version;
    IF NOT held.status = ANY (from_statuses) THEN
        outcome := CASE WHEN held.status IN (10, 12) THEN 'ended' WHEN held.status = 4 THEN 'shipped'
                        ELSE 'canceling' END;
        RETURN;
    END IF;
    SELECT coalesce(bool_or(t.fence > 0 AND t.state <> 5), false) INTO is_asked
    FROM task t WHERE t.order_id = asked AND t.stage = 2;
    outcome := 'canceling';
    status := 9;
    version := held.version + 1;
    UPDATE orders o
    SET version = held.version + 1, status = 9, reason = 'canceled_on_request', updated_at = clock_timestamp(),
        undo = 1, undo_at = CASE WHEN o.undo = 1 THEN o.undo_at ELSE clock_timestamp() END
    WHERE o.id = asked;
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    VALUES (asked, held.version + 1, 'cancel_requested', 9, 'api',
            jsonb_build_object('by', who, 'reason', why));
    -- Nobody has them, so nobody takes them up any more.
    UPDATE task t SET state = 5, worker_id = NULL, due_at = NULL, parked_at = NULL
    WHERE t.order_id = asked AND t.state IN (1, 3, 4, 6) AND t.stage NOT IN (3, 4)
      AND NOT (is_asked AND t.stage = 2);
    IF is_asked THEN
        UPDATE task t
        SET state = 1, attempt = 0, doubted = 0, crashes = 0, worker_id = NULL, due_at = NULL, parked_at = NULL
        WHERE t.order_id = asked AND t.stage = 2 AND t.state IN (3, 4, 6)
        RETURNING t.stage INTO woken;
    ELSE
        INSERT INTO task AS t (order_id, stage) VALUES (asked, 3)
        ON CONFLICT (order_id, stage) DO UPDATE
            SET state = 1, attempt = 0, doubted = 0, crashes = 0, worker_id = NULL, due_at = NULL
            WHERE t.state IN (5, 6)
        RETURNING t.stage INTO woken;
    END IF;
    UPDATE dead_letter d
    SET state = CASE WHEN d.stage = woken THEN 'replaying' ELSE 'resolved' END,
        closed_at = CASE WHEN d.stage = woken THEN d.closed_at ELSE clock_timestamp() END
    WHERE d.order_id = asked AND d.state = 'open'
      AND EXISTS (SELECT FROM task t WHERE t.order_id = asked AND t.stage = d.stage AND t.state IN (1, 5));
    IF woken IS NOT NULL THEN
        INSERT INTO outbox (topic, order_ids, traces) VALUES (woken, ARRAY[asked], ARRAY[held.trace]);
    END IF;
    IF is_operator THEN
        audit := audit_append(who, 'order cancel', 'order ' || asked, why);
    END IF;
END $$;

-- Asks for money to be given back: `wanted` of it, or (NULL) all that is left.  What is on its way counts
-- as given back.  All of it only once the order is shipped; before, it is canceled instead.
--   outcome: 'opened', 'nothing_captured', 'too_much', 'not_shipped', 'undoing' (it is given back as a
--   whole already), 'not_found'
CREATE FUNCTION order_refund(asked uuid, who text, why text, wanted bigint,
                             OUT outcome text, OUT number smallint, OUT amount bigint, OUT rest bigint,
                             OUT currency text, OUT version integer, OUT audit bigint)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    held record;
    paid record;
    woken smallint;
BEGIN
    SELECT o.version, o.status, o.trace INTO held FROM orders o WHERE o.id = asked FOR UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;
    version := held.version;
    SELECT p.number, p.provider, p.intent_id, p.currency, p.captured - p.given_back AS rest INTO paid
    FROM payment_attempt p WHERE p.order_id = asked AND p.captured > 0 ORDER BY p.number DESC LIMIT 1;
    rest := coalesce(paid.rest, 0);
    currency := paid.currency;
    amount := coalesce(wanted, rest);
    outcome := CASE WHEN held.status IN (9, 11, 12) THEN 'undoing'
                    WHEN paid IS NULL OR held.status NOT IN (3, 4) THEN 'nothing_captured'
                    WHEN rest = 0 OR amount > rest THEN 'too_much'
                    WHEN held.status = 3 AND amount = rest THEN 'not_shipped' ELSE 'opened' END;
    IF outcome <> 'opened' THEN
        RETURN;
    END IF;
    version := held.version + 1;
    INSERT INTO refund (order_id, number, attempt, provider, intent_id, amount, currency, actor, reason)
    SELECT asked, coalesce(max(r.number), 0) + 1, paid.number, paid.provider, paid.intent_id, order_refund.amount,
           paid.currency, who, why
    FROM refund r WHERE r.order_id = asked
    RETURNING refund.number INTO number;
    UPDATE orders o SET version = held.version + 1, updated_at = clock_timestamp() WHERE o.id = asked;
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    VALUES (asked, held.version + 1, 'refund_requested', held.status, 'api',
            jsonb_build_object('by', who, 'reason', why, 'refund', number, 'amount', amount));
    INSERT INTO task AS t (order_id, stage) VALUES (asked, 4)
    ON CONFLICT (order_id, stage) DO UPDATE
        SET state = 1, attempt = 0, doubted = 0, crashes = 0, worker_id = NULL, due_at = NULL
        WHERE t.state IN (5, 6)
    RETURNING t.stage INTO woken;
    IF woken IS NOT NULL THEN
        UPDATE dead_letter d SET state = 'replaying'
        WHERE d.order_id = asked AND d.stage = 4 AND d.state = 'open';
        INSERT INTO outbox (topic, order_ids, traces) VALUES (4, ARRAY[asked], ARRAY[held.trace]);
    END IF;
    audit := audit_append(who, 'order refund', 'order ' || asked, why,
                          jsonb_build_object('refund', number, 'amount', amount, 'currency', currency));
END $$;
REVOKE EXECUTE ON FUNCTION order_cancel(uuid, text, text, smallint[], boolean) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION order_refund(uuid, text, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION order_cancel(uuid, text, text, smallint[], boolean) TO docket_api;
GRANT EXECUTE ON FUNCTION order_refund(uuid, text, text, bigint) TO docket_api;

-- What discarding a letter does, as before, and of the stages that undo: while a refund of it is open,
-- money may have moved.
CREATE OR REPLACE FUNCTION dead_fate(letter_order uuid, letter_stage smallint, letter_state text) RETURNS text
    LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN letter_state <> 'open' THEN 'kept_moving'
        WHEN letter_stage = 4 AND EXISTS (SELECT FROM refund WHERE order_id = letter_order AND state < 5)
            THEN 'kept_unknown'
        WHEN o.id IS NULL OR o.final THEN 'closes'
        WHEN t.state IS DISTINCT FROM 6 THEN 'kept_moving'
        WHEN letter_stage = 3 THEN 'kept_unknown'
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
