-- Notes what these orders are about, and tells which of them look like another.
--   $1 order ids, with money to be asked for   $2 their prints (queue/twins.h)   $3 window in ms
--   $4 least and $5 greatest order id: only their months' partitions are opened
--   $6 the first id of the second before the greatest of these
-- One row back for each that looks like another that is not of these: twin_check.sql judges them.
-- Of many that look alike the nearest are looked at.  Of the orders of the second before these the last ones
-- that no worker has begun yet are noted, too: the later one then finds the earlier, whichever worker is faster.
-- Their prints are made here, of the same pieces as twins_print() makes them.
-- of one month: also on the own tables of the month that all of the batch is of (schema/month.h).
WITH mine AS MATERIALIZED (
    SELECT o.id, o.accepted_at AS at, w.print
    FROM unnest($1::uuid[], $2::bytea[]) AS w (order_id, print)
    CROSS JOIN LATERAL (
        SELECT o.id, o.accepted_at FROM orders o
        WHERE o.id = w.order_id AND o.id BETWEEN $4::uuid AND $5::uuid LIMIT 1
    ) AS o
), fresh AS MATERIALIZED (
    SELECT o.id, o.accepted_at, o.account_id, o.currency, o.total
    FROM (SELECT o.id, o.accepted_at, o.account_id, o.currency, o.total, o.status
          FROM orders o
          WHERE o.id >= $6::uuid AND o.id < $5::uuid
          ORDER BY o.id DESC LIMIT 32) AS o
    WHERE o.status = 1 AND o.total > 0 AND o.id <> ALL ($1::uuid[])
      AND (SELECT p.order_id FROM order_print p WHERE p.order_id = o.id LIMIT 1) IS NULL  -- and no join: claim.sql
), near AS MATERIALIZED (
    SELECT o.id, o.accepted_at AS at,
           sha256(convert_to(concat_ws(E'\n', o.account_id, c.email, o.currency, o.total, l.lines), 'UTF8'))
               AS print
    FROM fresh o
    CROSS JOIN LATERAL (
        SELECT lower(btrim(c.email)) AS email FROM order_contact c
        WHERE c.order_id = o.id AND c.order_id BETWEEN $6::uuid AND $5::uuid LIMIT 1
    ) AS c
    CROSS JOIN LATERAL (
        SELECT string_agg(n.sku || ' ' || n.quantity, E'\n' ORDER BY n.sku COLLATE "C", n.quantity) AS lines
        FROM order_line n WHERE n.order_id = o.id AND n.order_id BETWEEN $6::uuid AND $5::uuid
    ) AS l
), noted AS (
    INSERT INTO order_print (print, order_id, at)
    SELECT n.print, n.id, n.at
    FROM (SELECT id, at, print FROM near UNION ALL SELECT id, at, print FROM mine) AS n
    ORDER BY n.print, n.id
    ON CONFLICT DO NOTHING
)
SELECT m.id
FROM mine m
WHERE EXISTS (SELECT FROM order_print p
              WHERE p.print = m.print AND p.order_id <> m.id
                AND p.at BETWEEN m.at - $3::int8 * interval '1 millisecond'
                             AND m.at + $3::int8 * interval '1 millisecond')
   OR EXISTS (SELECT FROM near n WHERE n.print = m.print)
