-- A page of the membership of a run that has a filter: those that it allows of the next letters, newest
-- first, beginning with the ones that were there when the run was made.
--   $1 fence   $2 run   $3 its version   $4 letters to look at
-- One row back: is the lease held, how many members were added.
WITH run AS MATERIALIZED (
    SELECT r.id, r.wanted, r.fill_cursor
    FROM relay_lease lease, replay_run r
    WHERE lease.fence = $1::int8 AND r.id = $2::int8 AND r.version = $3::int4 AND r.state = 'filling'
    FOR UPDATE OF r
), page AS MATERIALIZED (
    SELECT p.id, p.is_match, p.next
    FROM run CROSS JOIN LATERAL dead_page(run.wanted, run.fill_cursor, $4::int4, $4::int4) AS p
), added AS (
    INSERT INTO replay_item (run_id, letter_id, order_id, stage)
    SELECT run.id, d.id, d.order_id, d.stage
    FROM run, page CROSS JOIN LATERAL (
        SELECT id, order_id, stage FROM dead_letter WHERE id = page.id LIMIT 1
    ) AS d
    WHERE page.is_match
), moved AS (
    UPDATE replay_run r
    SET version = r.version + 1, members = r.members + p.count,
        fill_cursor = p.next,
        state = CASE WHEN p.next IS NULL THEN 'running' ELSE r.state END,
        started_at = CASE WHEN p.next IS NULL THEN clock_timestamp() END
    FROM run, (SELECT count(*) FILTER (WHERE is_match) AS count,
                      max(next) AS next FROM page) AS p
    WHERE r.id = run.id
)
SELECT EXISTS (SELECT FROM relay_lease WHERE fence = $1::int8) AS is_held,
       (SELECT count(*) FROM page WHERE is_match)::int4 AS added
