-- serves-from: 10
-- What is kept, and by whom it may be touched.

-- Months go --------------------------------------------------------------------------------------
--
-- `docket migrate retire` takes a month's partitions away, by the owner's role: DETACH … CONCURRENTLY
-- can be no part of a function.  What is to be done next is read from the catalogue each time, so that
-- whoever was interrupted goes on where it stopped.

-- Every table that is partitioned by the month of an order's id.
CREATE FUNCTION month_parents() RETURNS SETOF name LANGUAGE sql STABLE AS $$
    SELECT c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
    WHERE c.relnamespace = 'public'::regnamespace ORDER BY c.relname
$$;

CREATE FUNCTION month_table(parent name, month date) RETURNS name LANGUAGE sql IMMUTABLE AS $$
    SELECT (parent || to_char(month, '_YYYY_MM'))::name
$$;

-- The first id of a month in UTC.
CREATE FUNCTION month_floor_utc(month date) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT month_floor(month::timestamp AT TIME ZONE 'UTC')
$$;

-- The months that are there, also one that is half gone, with how far it is.
CREATE FUNCTION month_list() RETURNS TABLE (month date, is_going boolean, bytes bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT to_date(right(c.relname, 7), 'YYYY_MM'),
           bool_or(NOT c.relispartition
                   OR EXISTS (SELECT FROM pg_inherits i
                              WHERE i.inhrelid = c.oid AND i.inhdetachpending)),
           sum(pg_total_relation_size(c.oid))::bigint
    FROM month_parents() AS p (parent)
    JOIN pg_class c ON c.relname ~ ('^' || p.parent || '_[0-9]{4}_[0-9]{2}$')
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    GROUP BY 1
$$;

-- What holds a month back, one row a kind, with up to 1,000 orders counted and the first of them.
-- It looks into the month's own tables, attached or not.
CREATE FUNCTION month_holds(month date) RETURNS TABLE (what text, orders bigint, example uuid)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    kind record;
    place name;
BEGIN
    FOR kind IN SELECT * FROM (VALUES
        ('orders', 'id', 'NOT final', 'not final'),
        ('task', 'order_id', 'state NOT IN (5, 6)', 'a task that is not done'),
        ('payment_attempt', 'order_id', 'state IN (1, 2, 5, 6)', 'a payment that is not settled'),
        ('reservation', 'order_id', 'state = 1', 'stock that is still held')
    ) AS kinds (parent, id, condition, says) LOOP
        place := month_table(kind.parent, month);
        CONTINUE WHEN to_regclass(format('public.%I', place)) IS NULL;
        RETURN QUERY EXECUTE format(
            'SELECT %L, count(*), min(id::text)::uuid FROM (SELECT DISTINCT %I AS id FROM public.%I
             WHERE %s LIMIT 1000) AS f HAVING count(*) > 0', kind.says, kind.id, place,
            kind.condition);
    END LOOP;
    RETURN QUERY SELECT 'an open dead letter', count(*), min(d.order_id::text)::uuid
        FROM (SELECT l.order_id FROM public.dead_letter l
              WHERE l.state IN ('open', 'replaying') AND l.order_id >= month_floor_utc(month)
                AND l.order_id < month_floor_utc((month + interval '1 month')::date)
              LIMIT 1000) AS d
        HAVING count(*) > 0;
END $$;

-- The next step that takes a month away, as a statement to run; no row: it is gone.
--   detach    nothing new finds its orders; nothing in them is lost yet (`orders` goes first)
--   finalize  a detach that was interrupted
--   drop      (`orders` goes last: as long as it is there, the month is known to be going)
CREATE FUNCTION month_step(month date) RETURNS TABLE (step text, place name, statement text)
    LANGUAGE sql STABLE AS $$
    WITH part AS (
        SELECT p.parent, c.relname, c.relispartition AS is_attached,
               coalesce(i.inhdetachpending, false) AS is_pending
        FROM month_parents() AS p (parent)
        JOIN pg_class c ON c.relname = month_table(p.parent, month)
                       AND c.relnamespace = 'public'::regnamespace
        LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    )
    SELECT CASE WHEN is_pending THEN 'finalize' WHEN is_attached THEN 'detach' ELSE 'drop' END,
           relname,
           CASE WHEN is_pending
                THEN format('ALTER TABLE public.%I DETACH PARTITION public.%I FINALIZE', parent, relname)
                WHEN is_attached
                THEN format('ALTER TABLE public.%I DETACH PARTITION public.%I CONCURRENTLY', parent,
                            relname)
                ELSE format('DROP TABLE public.%I', relname) END
    FROM part
    ORDER BY is_pending DESC, is_attached DESC, (parent = 'orders') = is_attached DESC, parent
    LIMIT 1
$$;

-- Puts a month back that turned out not to be settled once nobody could reach its orders.  Nothing of
-- it was dropped by then.
CREATE FUNCTION month_put_back(month date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    part record;
    attached integer := 0;
BEGIN
    FOR part IN SELECT p.parent, c.relname FROM month_parents() AS p (parent)
                JOIN pg_class c ON c.relname = month_table(p.parent, month)
                               AND c.relnamespace = 'public'::regnamespace
                WHERE NOT c.relispartition ORDER BY (p.parent = 'orders'), p.parent LOOP
        EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
            part.parent, part.relname, month_floor_utc(month),
            month_floor_utc((month + interval '1 month')::date));
        attached := attached + 1;
    END LOOP;
    RETURN attached;
END $$;

-- By default everybody may execute a function.
REVOKE EXECUTE ON FUNCTION month_list(), month_holds(date), month_put_back(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION month_list(), month_holds(date) TO docket_api, docket_relay;

-- Who may do what ---------------------------------------------------------------------------------
--
-- What was granted wider than any statement needs (tests/flow/test_grants.py compares the two lists).
-- Acts of operators are written by audit_append, and incidents read by their view.
REVOKE INSERT ON audit FROM docket_api;
REVOKE SELECT ON dead_delta, incident, order_contact, replay_delta, replay_item FROM docket_api;
REVOKE SELECT ON order_event FROM docket_relay;
REVOKE UPDATE ON shipment FROM docket_worker;
REVOKE SELECT ON outbox FROM docket_worker;
REVOKE SELECT, UPDATE ON claimed FROM docket_worker;

-- Whose an order is and what it costs was frozen when it was accepted: nobody changes it.
DO $$
DECLARE
    changing text;
BEGIN
    SELECT string_agg(quote_ident(attname), ', ') INTO changing FROM pg_attribute
    WHERE attrelid = 'orders'::regclass AND attnum > 0 AND NOT attisdropped
      AND attname NOT IN ('id', 'account_id', 'currency', 'items_total', 'shipping_total', 'total',
                          'renderer', 'token_key', 'trace', 'accepted_at');
    REVOKE UPDATE ON orders FROM docket_api, docket_relay, docket_worker;
    EXECUTE format('GRANT UPDATE (%s) ON orders TO docket_api, docket_relay, docket_worker', changing);
END $$;
