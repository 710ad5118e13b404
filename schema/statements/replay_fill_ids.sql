-- A page of the membership of a run that names its letters.  All of them become members: what cannot
-- be replayed is skipped in its turn, and the report says why.
--   $1 fence   $2 run   $3 its version   $4 members at most
-- One row back: is the lease held, how many members were added.
WITH run AS MATERIALIZED (
    SELECT r.id, r.cursor, r.ids
    FROM relay_lease lease, replay_run r
    WHERE lease.fence = $1::int8 AND r.id = $2::int8 AND r.version = $3::int4 AND r.state = 'filling'
    FOR UPDATE OF r
), page AS MATERIALIZED (
    SELECT named.id, d.order_id, coalesce(d.stage, 0::int2) AS stage
    FROM (SELECT DISTINCT u.id FROM run, unnest(run.ids) AS u (id) WHERE u.id > run.cursor
          ORDER BY u.id LIMIT $4::int4) AS named
    LEFT JOIN LATERAL (
        SELECT order_id, stage FROM dead_letter WHERE id = named.id LIMIT 1
    ) AS d ON true
), added AS (
    INSERT INTO replay_item (run_id, letter_id, order_id, stage)
    SELECT run.id, page.id, page.order_id, page.stage FROM run, page
), moved AS (
    UPDATE replay_run r
    SET version = r.version + 1, members = r.members + p.count,
        cursor = CASE WHEN p.count < $4::int4 THEN 0 ELSE p.last END,
        state = CASE WHEN p.count < $4::int4 THEN 'running' ELSE r.state END,
        started_at = CASE WHEN p.count < $4::int4 THEN clock_timestamp() END
    FROM run, (SELECT count(*) AS count, max(id) AS last FROM page) AS p
    WHERE r.id = run.id
)
SELECT EXISTS (SELECT FROM relay_lease WHERE fence = $1::int8) AS is_held,
       (SELECT count(*) FROM page)::int4 AS added
