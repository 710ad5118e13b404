-- Acts of operators, the newest first.  At most 10,000 rows are looked at; `next` is the id to go on
-- before, or null at the end of what can match.
--   $1 before this id  $2 since, unix seconds or NULL  $3 part of the actor or NULL  $4 act or NULL
--   $5 target or NULL  $6 how many at most
WITH looked_at AS MATERIALIZED (
    SELECT id, at, actor, act, target, reason, detail, hash FROM audit
    WHERE id < $1::int8 ORDER BY id DESC LIMIT 10000
), fitting AS MATERIALIZED (
    SELECT id, at, actor, act, target, reason, detail, hash FROM looked_at
    WHERE ($2::int8 IS NULL OR at >= to_timestamp($2::int8))
      AND ($3::text IS NULL OR strpos(actor, $3::text) > 0)
      AND ($4::text IS NULL OR act = $4::text)
      AND ($5::text IS NULL OR target = $5::text)
    ORDER BY id DESC LIMIT $6::int4
)
SELECT jsonb_build_object(
    'acts', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'at', at, 'actor', actor,
                 'act', act, 'target', target, 'reason', reason, 'detail', detail,
                 'hash', encode(hash, 'hex')) ORDER BY id DESC), '[]') FROM fitting),
    'next', CASE
        WHEN (SELECT count(*) FROM fitting) = $6::int4 THEN (SELECT min(id) FROM fitting)
        WHEN (SELECT count(*) FROM looked_at) < 10000 THEN NULL
        WHEN (SELECT min(at) FROM looked_at) < to_timestamp($2::int8) THEN NULL
        ELSE (SELECT min(id) FROM looked_at) END)::text
