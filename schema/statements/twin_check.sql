-- Flags of each two orders that look like one another the later one.
--   $1 order ids, noted before (twin_note.sql)   $2 window in ms
--   $3 flagged orders are held before payment   $4 process   $5 their prints
-- One row back for each order that was flagged, of these or of others, and for each of these that has
-- to be looked at again: the other one was just being written.
-- Of many that look alike the nearest are looked at.
-- If the later one was looked at long before (the earlier was slower) and is to be held, it is flagged only
-- while its money has not been asked for, which its version proves: whatever its worker goes on with
-- has lost.  Otherwise the earlier one is the one that can be held.
WITH mine AS MATERIALIZED (
    SELECT o.id, o.accepted_at AS at, w.print
    FROM unnest($1::uuid[], $5::bytea[]) AS w (order_id, print)
    CROSS JOIN LATERAL (
        SELECT o.id, o.accepted_at FROM orders o WHERE o.id = w.order_id LIMIT 1
    ) AS o
), twin AS MATERIALIZED (
    SELECT m.id AS mine, t.id AS other
    FROM mine m
    CROSS JOIN LATERAL (
        (SELECT p.order_id AS id, p.at FROM order_print p
         WHERE p.print = m.print AND p.order_id < m.id ORDER BY p.order_id DESC LIMIT 20)
        UNION
        (SELECT p.order_id, p.at FROM order_print p
         WHERE p.print = m.print AND p.order_id > m.id ORDER BY p.order_id LIMIT 20)
    ) AS t
    WHERE t.at BETWEEN m.at - $2::int8 * interval '1 millisecond'
                   AND m.at + $2::int8 * interval '1 millisecond'
), pair AS MATERIALIZED (
    SELECT t.mine, greatest(t.mine, t.other) AS later, least(t.mine, t.other) AS earlier,
           l.version, l.final,
           NOT EXISTS (SELECT FROM payment_attempt a
                       WHERE a.order_id = greatest(t.mine, t.other) AND a.state <> 1) AS is_unasked
    FROM twin t
    CROSS JOIN LATERAL (
        SELECT o.version, o.final FROM orders o
        WHERE o.id = greatest(t.mine, t.other) AND o.status NOT IN (6, 7, 9, 10, 11, 12) LIMIT 1
    ) AS l
    CROSS JOIN LATERAL (
        SELECT FROM orders o
        WHERE o.id = least(t.mine, t.other) AND o.status NOT IN (6, 7, 9, 10, 11, 12) LIMIT 1
    ) AS e
    WHERE NOT EXISTS (SELECT FROM duplicate d WHERE d.order_id = greatest(t.mine, t.other))
), locked AS MATERIALIZED (
    SELECT o.id, o.version, o.status
    FROM (SELECT later AS id FROM pair UNION SELECT mine FROM pair) AS p
    JOIN orders o ON o.id = p.id
    ORDER BY o.id
    FOR UPDATE OF o
), judged AS MATERIALIZED (
    SELECT p.mine, p.later, p.earlier,
           p.later = p.mine OR NOT p.final AND (p.is_unasked OR NOT $3::bool) AS is_later,
           p.later <> p.mine AND $3::bool AND p.is_unasked AND k.version <> p.version AS is_unsure
    FROM pair p JOIN locked k ON k.id = p.later
), target AS (
    SELECT DISTINCT ON (t.id) t.id, t.of_order, l.version, l.status
    FROM (
        SELECT CASE WHEN p.is_later THEN p.later ELSE p.mine END AS id,
               CASE WHEN p.is_later THEN p.earlier ELSE p.later END AS of_order
        FROM judged p WHERE NOT p.is_unsure
    ) AS t
    JOIN locked l ON l.id = t.id
    ORDER BY t.id, t.of_order DESC
), flagged AS (
    INSERT INTO duplicate (order_id, of_order) SELECT id, of_order FROM target
    ON CONFLICT DO NOTHING
    RETURNING order_id
), moved AS (
    UPDATE orders o SET version = t.version + 1, updated_at = now()
    FROM target t JOIN flagged f ON f.order_id = t.id
    WHERE o.id = t.id
), happened AS (
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    SELECT t.id, t.version + 1, 'possible_duplicate', t.status, $4::text,
           jsonb_build_object('of', t.of_order)
    FROM target t JOIN flagged f ON f.order_id = t.id
)
SELECT order_id, false AS is_unsure FROM flagged
UNION ALL
SELECT DISTINCT mine, true FROM judged WHERE is_unsure
