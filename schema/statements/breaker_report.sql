-- What a worker has seen of its outside.
--   $1 name   $2 stage   $3 the class of faults that opens it; NULL: none does
--   $4 version that the worker knew: if anything has changed since, nothing is opened
--   $5 tasks let out that were answered   $6 … after it was opened at this version
--   $7 process   $8 why
-- A row that was opened anew while this waited for it is seen by `opened` alone: the maximum is of before.
WITH new AS MATERIALIZED (
    SELECT nextval('breaker_version') AS version
    WHERE $3::text IS NOT NULL
      AND NOT EXISTS (SELECT FROM breaker b
                      WHERE b.stage = $2::int2 AND NOT b.is_queue AND b.version > $4::int8)
), opened AS (
    INSERT INTO breaker (name, class, stage, state, version, opened, opens, opened_total, who, why)
    SELECT $1::text, $3::text, $2::int2, 2, version, version, 1, 1, $7::text, $8::text FROM new
    ON CONFLICT (name, class) DO UPDATE
    SET state = 2, version = excluded.version, opened = excluded.version, since = now(),
        opens = breaker.opens + 1, opened_total = breaker.opened_total + 1, rate = 0, released = 0,
        goods = 0, probe = NULL, who = excluded.who, why = excluded.why
    WHERE breaker.version <= $4::int8
)
UPDATE breaker b SET goods = b.goods + $5::int8
WHERE $5::int8 > 0 AND b.stage = $2::int2 AND NOT b.is_queue AND b.state IN (3, 4) AND b.opened <= $6::int8
  AND (SELECT max(o.opened) FROM breaker o WHERE o.stage = $2::int2 AND NOT o.is_queue) = $6::int8
