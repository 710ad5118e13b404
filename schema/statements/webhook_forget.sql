-- Events that were dealt with a month ago: no provider sends one again after so long.
--   $1 fence   $2 rows at most
-- One row back: is the lease held, how many went.
WITH lease AS MATERIALIZED (
    SELECT fence FROM relay_lease WHERE fence = $1::int8
), gone AS (
    DELETE FROM webhook_inbox i
    USING lease, (SELECT id FROM webhook_inbox ORDER BY id LIMIT $2::int4) AS oldest
    WHERE i.id = oldest.id AND i.due_at IS NULL AND i.received_at < now() - interval '30 days'
    RETURNING i.id
)
SELECT EXISTS (SELECT FROM lease) AS is_held, (SELECT count(*) FROM gone)::int4 AS seen
