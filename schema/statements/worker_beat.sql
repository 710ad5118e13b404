-- The worker is alive, and has claimed messages up to here; it is told what holds its stage back.
--   $1 id   $2 lease in ms   $3 highest outbox id claimed   $4 the stage whose breakers are its own
-- One row back, or none: the row is gone, and so is the lease.
WITH beaten AS (
    UPDATE worker
    SET alive_until = clock_timestamp() + $2::int8 * interval '1 millisecond',
        claimed_upto = greatest(claimed_upto, $3::int8)
    WHERE id = $1::uuid
    RETURNING stage
)
SELECT coalesce(CASE WHEN bool_or(b.state = 2 AND NOT b.is_queue) THEN 2::int2
                     ELSE max(b.state) FILTER (WHERE NOT b.is_queue) END, 1::int2) AS state,
       coalesce(max(b.version), 0) AS version,
       coalesce(max(b.opened) FILTER (WHERE NOT b.is_queue), 0) AS opened,
       coalesce(bool_or(b.is_queue AND b.held), false) AS is_queue_paused
FROM beaten w
LEFT JOIN breaker b ON b.stage = CASE WHEN b.is_queue THEN w.stage ELSE $4::int2 END
GROUP BY w.stage
