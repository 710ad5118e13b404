-- Folds what statements have changed into the incidents' counters, oldest first.
--   $1 fence   $2 rows at most
-- How many rows were folded; each is taken away in the transaction that adds it, so it counts once.
WITH taken AS (
    DELETE FROM dead_delta d USING relay_lease l
    WHERE l.fence = $1::int8
      AND d.id = ANY (ARRAY(SELECT id FROM dead_delta ORDER BY id LIMIT $2::int4))
    RETURNING d.fingerprint, d.currency, d.stage, d.fault_kind, d.fault_code, d.pattern, d.open,
              d.replaying, d.resolved, d.discarded, d.at_risk, d.first_at, d.last_at
), folded AS (
    INSERT INTO incident AS i (fingerprint, currency, stage, fault_kind, fault_code, pattern, open,
                               replaying, resolved, discarded, at_risk, first_at, last_at)
    SELECT fingerprint, currency, min(stage), min(fault_kind), min(fault_code), min(pattern),
           sum(open), sum(replaying), sum(resolved), sum(discarded), sum(at_risk), min(first_at),
           max(last_at)
    FROM taken GROUP BY fingerprint, currency ORDER BY fingerprint, currency
    ON CONFLICT (fingerprint, currency) DO UPDATE
    SET open = i.open + excluded.open, replaying = i.replaying + excluded.replaying,
        resolved = i.resolved + excluded.resolved, discarded = i.discarded + excluded.discarded,
        at_risk = i.at_risk + excluded.at_risk, first_at = least(i.first_at, excluded.first_at),
        last_at = greatest(i.last_at, excluded.last_at)
)
SELECT count(*)::int4 AS folded FROM taken
