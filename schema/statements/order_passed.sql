-- The versions that orders have had since the one that somebody knows, oldest first; of each order
-- the newest 100 at most.
--   $1 order ids  $2 the versions that are known
--   $3, $4 least and greatest of the ids: only their months' partitions are opened
-- of one month: also on the own tables of the month that all of the batch is of (schema/month.h).
SELECT batch.position::int4, e.version, e.status, (extract(epoch FROM e.at) * 1000000)::int8
FROM unnest($1::uuid[], $2::int4[]) WITH ORDINALITY AS batch(id, known, position)
CROSS JOIN LATERAL (
    SELECT p.version, p.status, p.at
    FROM order_event p
    WHERE p.order_id = batch.id AND p.version > batch.known AND p.order_id BETWEEN $3::uuid AND $4::uuid
    ORDER BY p.version DESC LIMIT 100
) e
ORDER BY batch.position, e.version
