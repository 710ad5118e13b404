-- Outbox rows whose messages all have their verdict: the row goes, what the broker has confirmed is
-- watched, what it has not is put back as a row of its own.  Nothing is done without the lease.
--   $1 fence   $2 row ids   $3, $4 row id and position (from 1) of each message that failed
--   $5 when what was published is looked at first, in ms   $6 the rows' topics
-- One row back: is the lease held?
-- By topic and id: one of them leads each index, so that none is gone through as a whole, whichever is chosen.
-- published_upto is read now, after the confirms: whatever draws an id above it is published later.
-- The commit need not be waited for: undone by a crash it is undone as a whole, and the rows are
-- published once more.  No task is touched here.
WITH lease AS MATERIALIZED (
    SELECT fence FROM relay_lease
    WHERE fence = $1::int8 AND set_config('synchronous_commit', 'off', true) = 'off'
), gone AS (
    DELETE FROM outbox o USING lease WHERE o.topic = ANY ($6::int2[]) AND o.id = ANY ($2::int8[])
    RETURNING o.id, o.topic, o.order_ids, o.traces
), message AS MATERIALIZED (
    SELECT g.id, g.topic, u.order_id, u.trace,
           (g.id, u.position) IN (SELECT f.id, f.position
                                  FROM unnest($3::int8[], $4::int8[]) AS f (id, position)) AS failed
    FROM gone g, unnest(g.order_ids, g.traces) WITH ORDINALITY AS u (order_id, trace, position)
), watched AS (
    INSERT INTO published (topic, order_ids, traces, published_upto, look_at)
    SELECT topic, array_agg(order_id), array_agg(trace), (SELECT last_value FROM outbox_id_seq),
           now() + $5::int8 * interval '1 millisecond'
    FROM (SELECT topic, order_id, trace,
                 (row_number() OVER (PARTITION BY topic) - 1) / 100 AS part
          FROM message WHERE NOT failed) AS acked
    GROUP BY topic, part
), put_back AS (
    INSERT INTO outbox (topic, order_ids, traces)
    SELECT topic, array_agg(order_id), array_agg(trace) FROM message WHERE failed GROUP BY id, topic
)
SELECT EXISTS (SELECT FROM lease) AS is_held
