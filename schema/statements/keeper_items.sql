-- Takes away members of the replay run that ended longest ago, if that is a month; what somebody still
-- waits for stays.
--   $1 fence   $2 rows at most
WITH run AS MATERIALIZED (
    SELECT r.id FROM relay_lease l, replay_run r
    WHERE l.fence = $1::int8 AND r.ended_at < now() - interval '30 days' AND r.trimmed_at IS NULL
      AND r.state IN ('done', 'canceled')
    ORDER BY r.ended_at LIMIT 1
), gone AS (
    DELETE FROM replay_item i USING run
    WHERE i.run_id = run.id AND i.letter_id = ANY (ARRAY(
        SELECT o.letter_id FROM run CROSS JOIN LATERAL (
            SELECT letter_id FROM replay_item
            WHERE run_id = run.id AND state <> 'released' ORDER BY letter_id LIMIT $2::int4) AS o))
    RETURNING i.letter_id
), trimmed AS (
    UPDATE replay_run r SET trimmed_at = now() FROM run
    WHERE r.id = run.id AND (SELECT count(*) FROM gone) < $2::int4
)
SELECT count(*)::int4 FROM gone
