-- Messages that the broker gave up: the task that one names is watched, and looked at now; what names
-- no task of ours is kept for a person, once.
--   $1 fence   $2 order ids (NULL: it could not be read)   $3 stages   $4 the messages, as JSON
--   $5 why it cannot be read
-- One row back: is the lease held, and how many rows of dead_letter were made.
-- published_upto -1: no queue of a stage holds the message.
WITH lease AS MATERIALIZED (
    SELECT fence FROM relay_lease WHERE fence = $1::int8
), message AS MATERIALIZED (
    SELECT m.order_id, m.stage, m.history::jsonb AS history, m.reason,
           t.state IS NOT NULL AS is_ours, t.state IN (1, 2) AS is_open, o.trace
    FROM lease, unnest($2::uuid[], $3::int2[], $4::text[], $5::text[])
         AS m (order_id, stage, history, reason)
    LEFT JOIN LATERAL (
        SELECT state FROM task WHERE order_id = m.order_id AND stage = m.stage LIMIT 1
    ) AS t ON true
    LEFT JOIN LATERAL (SELECT trace FROM orders WHERE id = m.order_id LIMIT 1) AS o ON true
), looked_at AS (
    INSERT INTO published (topic, order_ids, traces, published_upto, look_at)
    SELECT stage, array_agg(order_id), array_agg(trace), -1, now()
    FROM (SELECT DISTINCT ON (order_id, stage) order_id, stage, trace FROM message
          WHERE is_open ORDER BY order_id, stage) AS named
    GROUP BY stage
), kept AS (
    INSERT INTO dead_letter (order_id, stage, fingerprint, fault_kind, fault_code, fault_text,
                             attempts, crashes, amount, currency, history)
    SELECT DISTINCT ON (m.history) NULL::uuid, 0, '0/refused/unreadable_message', 'refused',
           'unreadable_message', m.reason, 0, 0, 0, '', m.history
    FROM message m
    WHERE NOT m.is_ours
      AND NOT EXISTS (SELECT FROM dead_letter d
                      WHERE d.order_id IS NULL AND d.stage = 0 AND d.state IN ('open', 'replaying')
                        AND d.history = m.history)
    RETURNING id
)
SELECT EXISTS (SELECT FROM lease) AS is_held, (SELECT count(*) FROM kept)::int4 AS kept
