-- What the sweeper has decided about the messages of one page.
--   $1 fence
--   $2 rows of `published` to which nothing is owed any more
--   $3 … of which something stays watched, one element for each such message: $4 order $5 trace
--   $6 look again in ms  $7 rearmed: what was known of its queue counts no more
--   $8 … tasks that become ready and are published again: $9 stage $10 state $11 fence as they were
--   seen (ready: swept; running: its worker is gone) $12 trace
--   $13 process
-- Rows back: is the lease held, and each order that moved with the state it was in (one row without an
-- order if none did).  A task that has changed since, or whose order somebody holds, stays watched.
-- LATERAL with a limit, ANY (ARRAY[…]): one probe a row, whatever a plan believes.
WITH lease AS MATERIALIZED (
    SELECT fence FROM relay_lease WHERE fence = $1::int8
), dropped AS (
    DELETE FROM published p USING lease WHERE p.id = ANY ($2::int8[])
), kept AS (
    UPDATE published p
    SET order_ids = k.order_ids, traces = k.traces,
        look_at = now() + k.look_ms * interval '1 millisecond',
        confirmed_at = CASE WHEN k.rearmed THEN now() ELSE p.confirmed_at END,
        published_upto = CASE WHEN k.rearmed THEN (SELECT last_value FROM outbox_id_seq)
                              ELSE p.published_upto END
    FROM lease, (
        SELECT id, array_agg(order_id) AS order_ids, array_agg(trace) AS traces,
               min(look_ms) AS look_ms, bool_or(rearmed) AS rearmed
        FROM unnest($3::int8[], $4::uuid[], $5::text[], $6::int8[], $7::bool[])
             AS m (id, order_id, trace, look_ms, rearmed)
        GROUP BY id
    ) AS k
    WHERE p.id = ANY (ARRAY[k.id])
), asked AS MATERIALIZED (
    SELECT a.*
    FROM lease, unnest($8::uuid[], $9::int2[], $10::int2[], $11::int4[], $12::text[])
         AS a (order_id, stage, state, fence, trace)
), locked AS MATERIALIZED (
    SELECT a.*, o.version, o.status
    FROM (SELECT DISTINCT ON (order_id) asked.* FROM asked ORDER BY order_id, stage) AS a
    CROSS JOIN LATERAL (
        SELECT o.version, o.status FROM orders o WHERE o.id = a.order_id LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS o
), won AS (
    UPDATE task t
    SET state = 1, worker_id = NULL, crashes = t.crashes + (l.state = 2)::int4,
        sweeps = t.sweeps + (l.state = 1)::int4
    FROM locked l
    WHERE t.order_id = ANY (ARRAY[l.order_id]) AND t.stage = l.stage AND t.state = l.state AND t.fence = l.fence
    RETURNING t.order_id, t.stage, t.crashes, t.sweeps, l.state AS seen, l.version + 1 AS version,
              l.status, l.trace
), moved AS (
    UPDATE orders o SET version = w.version, updated_at = now() FROM won w WHERE o.id = ANY (ARRAY[w.order_id])
), happened AS (
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    SELECT order_id, version, CASE seen WHEN 1 THEN 'swept' ELSE 'worker_lost' END, status, $13::text,
           CASE seen WHEN 1 THEN jsonb_build_object('stage', stage, 'sweeps', sweeps)
                     ELSE jsonb_build_object('stage', stage, 'crashes', crashes) END
    FROM won
), announced AS (
    INSERT INTO outbox (topic, order_ids, traces)
    SELECT stage, array_agg(order_id), array_agg(trace)
    FROM (SELECT stage, order_id, trace, (row_number() OVER (PARTITION BY stage) - 1) / 100 AS part
          FROM won) AS ready
    GROUP BY stage, part
), watched_on AS (
    INSERT INTO published (topic, order_ids, traces, published_upto, look_at)
    SELECT stage, array_agg(order_id), array_agg(trace), (SELECT last_value FROM outbox_id_seq),
           now() + interval '1 second'
    FROM asked
    WHERE (order_id, stage) NOT IN (SELECT order_id, stage FROM won)
    GROUP BY stage
)
SELECT EXISTS (SELECT FROM lease) AS is_held, w.order_id, coalesce(w.seen, 0::int2) AS seen
FROM (SELECT) AS one LEFT JOIN won w ON true
