-- What the orders of dead letters that nobody has closed are worth, by currency: from the incidents'
-- counters, as `docket dead list` says it.
--   $1 currencies at most
SELECT currency, sum(at_risk)::int8 AS amount
FROM incident_part GROUP BY currency HAVING sum(open + replaying) > 0 ORDER BY currency LIMIT $1::int4
