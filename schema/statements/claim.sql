-- Claims tasks of one stage for a worker, or takes again those it holds.
--   $1 order ids   $2 stage   $3 worker   $4 event   $5 process
--   $6, $7 least and greatest order id: only their months' partitions are opened
--   $8, $9 when the message was published, and received here, in µs since 1970; 0: unknown
-- One row back for each that is now the worker's: the order and the task as they are from now on.  The
-- others have nothing to do (done, waiting, or somebody alive has them).  What the other books say of
-- it is asked afterwards (claim_facts.sql): while this statement waited for a lock, its snapshot has
-- grown old.
-- What leaves a plan no choice: LIMIT says that there is one row; ANY (ARRAY[…]) and + 0 are equalities that can be
-- looked up order by order, but by which a table cannot be read as a whole, or joined.  It would be, while the planner takes
-- it for small: a new month's, for as long as autovacuum has not seen it.
-- A task whose holder is gone is taken over, and counts a crash.  One that this worker holds is its
-- again: perhaps it never learnt that its claim was committed.  A worker asks for an order once at a
-- time, and whatever it had still to write has lost its version.
-- of one month: also on the own tables of the month that all of the batch is of (schema/month.h).
WITH wanted AS MATERIALIZED (
    SELECT o.id, o.version, CASE WHEN o.status = 1 THEN 2::int2 ELSE o.status END AS status,
           w.published, w.received
    FROM (SELECT w.order_id, w.published, w.received
          FROM unnest($1::uuid[], $8::int8[], $9::int8[]) AS w (order_id, published, received)
          ORDER BY w.order_id LIMIT cardinality($1::uuid[])) AS w
    CROSS JOIN LATERAL (
        SELECT o.id, o.version, o.status FROM orders o
        WHERE o.id = w.order_id AND o.id BETWEEN $6::uuid AND $7::uuid LIMIT 1 FOR UPDATE
    ) AS o
), claimed AS (
    UPDATE task t
    SET state = 2, worker_id = $3::uuid, fence = t.fence + 1, due_at = NULL,
        crashes = t.crashes + (t.state = 2 AND t.worker_id <> $3::uuid)::int4
    FROM wanted w
    WHERE t.order_id = ANY (ARRAY[w.id]) AND t.stage + 0 = $2::int2 AND t.order_id BETWEEN $6::uuid AND $7::uuid
      AND (t.state = 1
           OR t.state = 2 AND (t.worker_id = $3::uuid OR worker_gone(t.worker_id)))
    RETURNING t.order_id, t.fence, t.attempt, t.crashes, t.pass, t.fault_kind, t.doubted,
              w.version + 1 AS version, w.status, w.published, w.received
), happened AS (
    INSERT INTO order_event (order_id, version, kind, status, process, hop)
    SELECT order_id, version, $4::text, status, $5::text, hop_of(published, received) FROM claimed
)
UPDATE orders o SET version = c.version, status = c.status, updated_at = now()
FROM claimed c WHERE o.id = ANY (ARRAY[c.order_id]) AND o.id BETWEEN $6::uuid AND $7::uuid
RETURNING o.id, o.version, o.status, c.fence, c.attempt, c.crashes, o.total, o.currency,
          o.payment_method, o.shipping_method, o.trace, c.pass, c.fault_kind = 'unknown' AS is_unknown,
          c.doubted, o.undo,
          coalesce((extract(epoch FROM clock_timestamp() - o.undo_at) * 1000)::int8, -1) AS since_undo,
          o.account_id
