-- Rows of workers that have been gone for a minute; what they had claimed is remembered.
--   $1 fence
WITH gone AS (
    DELETE FROM worker w USING relay_lease l
    WHERE l.fence = $1::int8 AND w.alive_until < now() - interval '1 minute'
    RETURNING w.stage, w.claimed_upto
)
UPDATE claimed c SET upto = greatest(c.upto, g.upto)
FROM (SELECT stage, max(claimed_upto) AS upto FROM gone GROUP BY stage) AS g
WHERE c.stage = g.stage
