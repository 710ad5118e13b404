-- Discards one page of the dead letters that a filter allows (what becomes of each: dead_fate()).
--   $1 who  $2 why  $3 filter  $4 cursor, or NULL  $5 letters looked at, at most  $6 rows
-- Orders that end are locked in id order and must still be at the version that was judged; every other
-- write selects from the letters that were closed then, so of two acts at once one has the effect.  What
-- cannot be canceled in one step of the states goes by way of `canceling`: two versions, two events.
WITH page AS MATERIALIZED (
    SELECT id, is_match, searched, next
    FROM dead_page($3::text::jsonb, $4::text, $5::int4, $6::int4)
), judged AS MATERIALIZED (
    SELECT d.id, d.order_id, o.version, dead_fate(d.order_id, d.stage, d.state) AS fate
    FROM page p CROSS JOIN LATERAL (
        SELECT id, order_id, stage, state FROM dead_letter WHERE id = p.id LIMIT 1
    ) AS d LEFT JOIN LATERAL (
        SELECT version FROM orders WHERE id = d.order_id LIMIT 1
    ) AS o ON true
    WHERE p.is_match
), locked AS MATERIALIZED (
    SELECT j.id, j.order_id, o.version, o.status, o.status IN (1, 2) AS is_two_steps
    FROM (SELECT id, order_id, version FROM judged WHERE fate = 'cancels' ORDER BY order_id) AS j
    CROSS JOIN LATERAL (
        SELECT o.version, o.status FROM orders o WHERE o.id = j.order_id LIMIT 1 FOR UPDATE
    ) AS o
    WHERE o.version = j.version
), closed AS (
    UPDATE dead_letter d SET state = 'discarded', closed_at = clock_timestamp()
    WHERE d.id = ANY (ARRAY(SELECT id FROM locked UNION ALL
                            SELECT id FROM judged WHERE fate = 'closes'))
      AND coalesce(d.state, '') = 'open'  -- not by the index of all that are open
    RETURNING d.id, d.amount, d.currency
), ended AS MATERIALIZED (
    SELECT l.order_id, l.id, l.version, l.is_two_steps
    FROM closed c JOIN locked l ON l.id = c.id
), act AS MATERIALIZED (
    SELECT audit_append($1::text, 'dead discard', $3::text, $2::text, jsonb_build_object(
               'letters', (SELECT count(*) FROM closed),
               'orders_canceled', (SELECT count(*) FROM ended),
               'pieces_returned', (SELECT stock_return(array_agg(order_id)) FROM ended),
               'from', (SELECT min(id) FROM closed), 'to', (SELECT max(id) FROM closed))) AS id
    WHERE EXISTS (SELECT FROM closed)
), moved AS (
    UPDATE orders o
    SET version = e.version + 1 + e.is_two_steps::int4, status = 10, final = true,
        reason = 'payment_not_made', updated_at = clock_timestamp()
    FROM ended e WHERE o.id = e.order_id
), told AS (
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    SELECT e.order_id, e.version + step.n, step.kind, step.status, 'api',
           jsonb_build_object('dead_letter', e.id, 'audit', (SELECT id FROM act))
    FROM ended e CROSS JOIN LATERAL (
        SELECT 1 AS n, 'discarded' AS kind, 9::int2 AS status WHERE e.is_two_steps
        UNION ALL
        SELECT 1 + e.is_two_steps::int4,
               CASE WHEN e.is_two_steps THEN 'canceled' ELSE 'discarded' END, 10::int2
    ) AS step
), tasks AS (
    UPDATE task t SET state = 5, worker_id = NULL, due_at = NULL
    FROM ended e WHERE t.order_id = e.order_id AND t.stage = 1
), attempts AS (
    UPDATE payment_attempt a SET state = 7 FROM ended e WHERE a.order_id = e.order_id AND a.state = 1
)
SELECT jsonb_build_object(
    'discarded', (SELECT count(*) FROM closed),
    'orders_canceled', (SELECT count(*) FROM ended),
    'money', (SELECT coalesce(jsonb_agg(jsonb_build_object('amount', amount, 'currency', currency)
                              ORDER BY currency), '[]')
              FROM (SELECT currency, sum(amount) AS amount FROM closed WHERE currency <> ''
                    GROUP BY currency) AS m),
    'kept', (SELECT coalesce(jsonb_object_agg(fate, letters), '{}')
             FROM (SELECT CASE WHEN fate LIKE 'kept%' THEN fate ELSE 'kept_moving' END AS fate,
                          count(*) AS letters
                   FROM judged j WHERE NOT EXISTS (SELECT FROM closed c WHERE c.id = j.id)
                   GROUP BY 1) AS k),
    'searched', (SELECT coalesce(max(searched), 0) FROM page),
    'next', (SELECT max(next) FROM page),
    'audit', (SELECT id FROM act))::text
