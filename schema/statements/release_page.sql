-- What is held back, stage by stage, for the relay to decide how it goes on.
--   $1 stages   $2 the stage that leads each, by itself or another: its breakers are theirs
-- One row back for each stage.
SELECT s.stage,
       coalesce(CASE WHEN bool_or(b.state = 2 AND NOT b.is_queue) THEN 2::int2
                     ELSE max(b.state) FILTER (WHERE NOT b.is_queue) END, 1::int2) AS state,
       coalesce(max(b.version) FILTER (WHERE NOT b.is_queue), 0) AS version,
       coalesce(bool_or(b.held AND NOT b.is_queue), false) AS is_held,
       coalesce(bool_or(b.held AND b.is_queue), false) AS is_queue_paused,
       coalesce((extract(epoch FROM clock_timestamp() - max(b.since)
                             FILTER (WHERE b.state <> 1 AND NOT b.is_queue)) * 1000)::int8, 0)
           AS since_ms,
       coalesce(max(b.opens) FILTER (WHERE b.state <> 1 AND NOT b.is_queue), 0) AS opens,
       coalesce(max(b.rate) FILTER (WHERE b.state = 4), 0) AS rate,
       coalesce(max(b.released) FILTER (WHERE b.state IN (3, 4)), 0) AS released,
       coalesce(max(b.goods) FILTER (WHERE b.state IN (3, 4)), 0) AS goods,
       EXISTS (SELECT FROM breaker p JOIN task t ON t.order_id = ANY (ARRAY[p.probe])
               WHERE p.stage = s.lead AND p.state = 3 AND t.state IN (1, 2)
                 AND t.stage IN (SELECT g.stage FROM unnest($1::int2[], $2::int2[]) AS g (stage, lead)
                                 WHERE g.lead = s.lead)) AS is_probe_out
FROM unnest($1::int2[], $2::int2[]) AS s (stage, lead)
LEFT JOIN breaker b ON b.stage = CASE WHEN b.is_queue THEN s.stage ELSE s.lead END
GROUP BY s.stage, s.lead
ORDER BY s.stage
