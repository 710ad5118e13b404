-- Lets the next members of a run go on where they gave up, as dead_replay.sql does with one: orders,
-- tasks and dead letters are locked in that order and must still be as they were; every write selects
-- from those.  What cannot be replayed is skipped with the reason; what somebody else holds is passed
-- over and comes first the next time.  ANY (ARRAY[…]): as in claim.sql; coalesce(state): not by the index of all
-- that are open.
--   $1 fence   $2 run   $3 its version   $4 members at most   $5 does a step begin   $6 its place in
--   the ramp   $7 up to when the rate was used up before, in µs   $8 process
-- Rows back: is the lease held, is the run still as it was, how many were skipped, and each order that
-- goes on (one row without an order if none does).
WITH lease AS MATERIALIZED (
    SELECT fence FROM relay_lease WHERE fence = $1::int8
), run AS MATERIALIZED (
    SELECT r.id, r.cursor, r.step + $5::bool::int4 AS step
    FROM lease, replay_run r
    WHERE r.id = $2::int8 AND r.version = $3::int4 AND r.state = 'running'
    FOR UPDATE OF r
), picked AS MATERIALIZED (
    SELECT i.letter_id, i.order_id, i.stage
    FROM run CROSS JOIN LATERAL (
        SELECT letter_id, order_id, stage FROM replay_item
        WHERE run_id = run.id AND letter_id > run.cursor AND state = 'waiting'
        ORDER BY run_id, letter_id LIMIT $4::int4
    ) AS i
), won AS MATERIALIZED (
    SELECT p.letter_id, p.stage, o.id, o.version, o.status, o.trace, o.undo
    FROM (SELECT DISTINCT ON (order_id) order_id, letter_id, stage FROM picked
          WHERE order_id IS NOT NULL ORDER BY order_id, letter_id) AS p
    CROSS JOIN LATERAL (
        SELECT o.id, o.version, o.status, o.trace, o.undo FROM orders o
        WHERE o.id = p.order_id AND (NOT o.final OR p.stage = 4) LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS o
    CROSS JOIN LATERAL (
        SELECT t.state FROM task t
        WHERE t.order_id = p.order_id AND t.stage = p.stage AND t.state = 6
        LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS t
    CROSS JOIN LATERAL (
        SELECT d.id FROM dead_letter d
        WHERE d.id = p.letter_id AND coalesce(d.state, '') = 'open' LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS d
), rest AS MATERIALIZED (
    SELECT p.letter_id,
           CASE WHEN d.state IS NULL THEN 'no_such_letter'
                WHEN d.state <> 'open' THEN d.state
                WHEN p.order_id IS NULL THEN 'no_order'
                WHEN o.status = 10 THEN 'order_canceled'
                WHEN o.final AND p.stage <> 4 THEN 'order_final'
                WHEN t.state IS DISTINCT FROM 6 THEN 'went_on' END AS why
    FROM picked p
    LEFT JOIN LATERAL (SELECT state FROM dead_letter WHERE id = p.letter_id LIMIT 1) AS d ON true
    LEFT JOIN LATERAL (SELECT status, final FROM orders WHERE id = p.order_id LIMIT 1) AS o ON true
    LEFT JOIN LATERAL (
        SELECT state FROM task WHERE order_id = p.order_id AND stage = p.stage LIMIT 1
    ) AS t ON true
    WHERE p.letter_id NOT IN (SELECT letter_id FROM won)
), moved AS (
    UPDATE orders o
    SET version = w.version + 1, updated_at = now(),
        status = CASE WHEN w.status <> 8 THEN w.status WHEN w.undo = 1 THEN 9 WHEN w.undo = 2 THEN 11
                      WHEN w.stage = 1 THEN 2 ELSE 3 END,
        reason = CASE WHEN w.status <> 8 THEN o.reason ELSE '' END
    FROM won w WHERE o.id = w.id
    RETURNING o.id, o.version, o.status, o.trace, w.stage, w.letter_id
), woken AS (
    UPDATE task t
    SET state = 1, attempt = 0, crashes = 0, sweeps = 0, worker_id = NULL, due_at = NULL,
        fault_kind = '', fault_code = '', fault_text = ''
    FROM won w WHERE t.order_id = w.id AND t.stage = w.stage
), opened AS (
    UPDATE dead_letter d SET state = 'replaying' FROM won w WHERE d.id = w.letter_id
), happened AS (
    INSERT INTO order_event (order_id, version, kind, status, process, detail)
    SELECT m.id, m.version, 'replayed', m.status, $8::text,
           jsonb_build_object('dead_letter', m.letter_id, 'run', $2::int8)
    FROM moved m
), announced AS (
    INSERT INTO outbox (topic, order_ids, traces)
    SELECT stage, array_agg(id), array_agg(trace)
    FROM (SELECT stage, id, trace, (row_number() OVER (PARTITION BY stage) - 1) / 100 AS part
          FROM moved) AS ready
    GROUP BY stage, part
), released AS (
    UPDATE replay_item i SET state = 'released', step = run.step, released_at = now()
    FROM run, won w WHERE i.run_id = ANY (ARRAY[run.id]) AND i.letter_id = ANY (ARRAY[w.letter_id])
), skipped AS (
    UPDATE replay_item i SET state = 'skipped', step = run.step, why = s.why, ended_at = now()
    FROM run, rest s
    WHERE s.why IS NOT NULL AND i.run_id = ANY (ARRAY[run.id]) AND i.letter_id = ANY (ARRAY[s.letter_id])
), count AS MATERIALIZED (
    SELECT (SELECT count(*) FROM won) AS released,
           (SELECT count(*) FROM rest WHERE why IS NOT NULL) AS skipped,
           (SELECT min(letter_id) - 1 FROM rest WHERE why IS NULL) AS held,
           (SELECT max(letter_id) FROM picked) AS last
), counted AS (
    UPDATE replay_run r
    SET version = r.version + 1, step = run.step, ramp_at = $6::int4, note = '',
        cursor = coalesce(c.held, c.last, r.cursor),
        released = r.released + c.released, skipped = r.skipped + c.skipped,
        step_released = CASE WHEN $5::bool THEN 0 ELSE r.step_released END + c.released,
        step_succeeded = CASE WHEN $5::bool THEN 0 ELSE r.step_succeeded END,
        step_failed = CASE WHEN $5::bool THEN 0 ELSE r.step_failed END,
        paced_at = CASE WHEN r.rate = 0 THEN r.paced_at
                        ELSE to_timestamp(0) + $7::int8 * interval '1 microsecond'
                             + c.released * interval '1 second' / r.rate END,
        skips = CASE WHEN c.skipped = 0 THEN r.skips ELSE (
            SELECT jsonb_object_agg(key, n)
            FROM (SELECT key, sum(n) AS n
                  FROM (SELECT key, value::int8 AS n FROM jsonb_each_text(r.skips)
                        UNION ALL
                        SELECT why, count(*) FROM rest WHERE why IS NOT NULL GROUP BY why) AS each
                  GROUP BY key) AS added) END
    FROM run, count c WHERE r.id = run.id
)
SELECT EXISTS (SELECT FROM lease) AS is_held, EXISTS (SELECT FROM run) AS is_current,
       (SELECT skipped FROM count)::int4 AS skipped, m.id
FROM (SELECT) AS one LEFT JOIN moved m ON true
