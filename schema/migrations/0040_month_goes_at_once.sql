-- serves-from: 1
-- A month of a million orders took seconds to go: most of it was the second look, which read four of its
-- tables as a whole, and each table was dropped by a commit of its own.

-- What must be nowhere in a month's tables if the month is to go.
CREATE FUNCTION month_unsettled(month date)
    RETURNS TABLE (parent name, place name, id name, condition text, says text) LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT k.parent, month_table(k.parent, month), k.id, k.condition, k.says
    FROM (VALUES
        ('orders'::name, 'id'::name, 'NOT final', 'not final'),
        ('task', 'order_id', 'state NOT IN (5, 6)', 'a task that is not done'),
        ('payment_attempt', 'order_id', 'state IN (1, 2, 5, 6)', 'a payment that is not settled'),
        ('reservation', 'order_id', 'state = 1', 'stock that is still held')
    ) AS k (parent, id, condition, says)
    WHERE to_regclass(format('public.%I', month_table(k.parent, month))) IS NOT NULL
$$;

-- In 0023's place.
CREATE OR REPLACE FUNCTION month_holds(month date) RETURNS TABLE (what text, orders bigint, example uuid)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    kind record;
BEGIN
    FOR kind IN SELECT * FROM month_unsettled(month) LOOP
        RETURN QUERY EXECUTE format(
            'SELECT %L, count(*), min(id::text)::uuid FROM (SELECT DISTINCT %I AS id FROM public.%I
             WHERE %s LIMIT 1000) AS f HAVING count(*) > 0', kind.says, kind.id, kind.place,
            kind.condition);
    END LOOP;
    RETURN QUERY SELECT 'an open dead letter', count(*), min(d.order_id::text)::uuid
        FROM (SELECT l.order_id FROM public.dead_letter l
              WHERE l.state IN ('open', 'replaying') AND l.order_id >= month_floor_utc(month)
                AND l.order_id < month_floor_utc((month + interval '1 month')::date)
              LIMIT 1000) AS d
        HAVING count(*) > 0;
END $$;

-- The next step that makes the second look quick, as a statement to run; no row: it is.  In a month that was
-- found settled these indexes are empty, and who unsettles it writes into them.
--   index    (payments have payment_attempt_one_open, as every month)
--   unindex  one that was interrupted
CREATE FUNCTION month_index_step(month date) RETURNS TABLE (step text, place name, statement text)
    LANGUAGE sql STABLE AS $$
    WITH look AS (
        SELECT u.place, u.id, u.condition, (u.place || '_unsettled')::name AS name
        FROM month_unsettled(month) AS u WHERE u.parent <> 'payment_attempt'
    )
    SELECT CASE WHEN x.indexrelid IS NULL THEN 'index' ELSE 'unindex' END, l.place,
           CASE WHEN x.indexrelid IS NULL
                THEN format('CREATE INDEX CONCURRENTLY %I ON public.%I (%I) WHERE %s', l.name, l.place, l.id,
                            l.condition)
                ELSE format('DROP INDEX CONCURRENTLY public.%I', l.name) END
    FROM look l LEFT JOIN pg_index x ON x.indexrelid = to_regclass(format('public.%I', l.name))
    WHERE x.indisvalid IS NOT TRUE
    ORDER BY l.place
    LIMIT 1
$$;

-- In 0023's place: what is detached is dropped at once.
CREATE OR REPLACE FUNCTION month_step(month date) RETURNS TABLE (step text, place name, statement text)
    LANGUAGE sql STABLE AS $$
    WITH part AS (
        SELECT p.parent, c.relname, c.relispartition AS is_attached,
               coalesce(i.inhdetachpending, false) AS is_pending
        FROM month_parents() AS p (parent)
        JOIN pg_class c ON c.relname = month_table(p.parent, month)
                       AND c.relnamespace = 'public'::regnamespace
        LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    ), attached AS (
        SELECT CASE WHEN is_pending THEN 'finalize' ELSE 'detach' END AS step, relname,
               format('ALTER TABLE public.%I DETACH PARTITION public.%I %s', parent, relname,
                      CASE WHEN is_pending THEN 'FINALIZE' ELSE 'CONCURRENTLY' END) AS statement
        FROM part WHERE is_pending OR is_attached
        ORDER BY is_pending DESC, parent = 'orders' DESC, parent
        LIMIT 1
    )
    SELECT * FROM attached
    UNION ALL
    SELECT 'drop', max(relname::text)::name,
           format('DROP TABLE %s', string_agg(format('public.%I', relname), ', ' ORDER BY relname))
    FROM part WHERE NOT EXISTS (SELECT FROM attached)
    HAVING count(*) > 0
$$;

REVOKE EXECUTE ON FUNCTION month_unsettled(date), month_index_step(date), month_step(date) FROM PUBLIC;
