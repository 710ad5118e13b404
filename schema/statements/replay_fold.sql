-- What became of released letters since the last look is added to their runs.
--   $1 fence   $2 everything, or only what was written within the last minute
-- One row back: is the lease held, how many outcomes were added.
WITH lease AS MATERIALIZED (
    SELECT fence FROM relay_lease WHERE fence = $1::int8
), taken AS (
    DELETE FROM replay_delta d USING lease
    WHERE d.at > CASE WHEN $2::bool THEN '-infinity'::timestamptz ELSE now() - interval '1 minute' END
    RETURNING d.run_id, d.step, d.outcome, d.fingerprint
), folded AS (
    UPDATE replay_run r
    SET version = r.version + 1,
        succeeded = r.succeeded + t.succeeded,
        failed_same = r.failed_same + t.failed_same,
        failed_new = r.failed_new + t.failed_new,
        withdrawn = r.withdrawn + t.withdrawn,
        step_succeeded = r.step_succeeded + (
            SELECT count(*) FROM taken x WHERE x.run_id = r.id AND x.step = r.step
                                           AND x.outcome IN ('succeeded', 'withdrawn')),
        step_failed = r.step_failed + (
            SELECT count(*) FROM taken x WHERE x.run_id = r.id AND x.step = r.step
                                           AND x.outcome IN ('failed_same', 'failed_new')),
        fails = CASE WHEN t.failed_same + t.failed_new = 0 THEN r.fails ELSE (
            SELECT jsonb_object_agg(key, n)
            FROM (SELECT key, sum(n) AS n
                  FROM (SELECT key, value::int8 AS n FROM jsonb_each_text(r.fails)
                        UNION ALL
                        SELECT x.fingerprint, count(*) FROM taken x
                        WHERE x.run_id = r.id AND x.fingerprint <> '' GROUP BY x.fingerprint) AS each
                  GROUP BY key) AS added) END
    FROM (SELECT run_id, count(*) FILTER (WHERE outcome = 'succeeded') AS succeeded,
                 count(*) FILTER (WHERE outcome = 'failed_same') AS failed_same,
                 count(*) FILTER (WHERE outcome = 'failed_new') AS failed_new,
                 count(*) FILTER (WHERE outcome = 'withdrawn') AS withdrawn
          FROM taken GROUP BY run_id) AS t
    WHERE r.id = t.run_id
)
SELECT EXISTS (SELECT FROM lease) AS is_held, (SELECT count(*) FROM taken)::int4 AS outcomes
