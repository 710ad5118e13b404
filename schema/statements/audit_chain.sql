-- A page of the chain as it is hashed, in its order, and the highest id there is.
--   $1 after this id  $2 how many at most
SELECT jsonb_build_object(
    'last', (SELECT coalesce(max(id), 0) FROM audit),
    'rows', coalesce(jsonb_agg(jsonb_build_object('id', id, 'form', form,
        'at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'actor', actor,
        'act', act, 'target', target, 'reason', reason, 'detail', detail::text,
        'hash', encode(hash, 'hex')) ORDER BY id), '[]'))::text
FROM (SELECT id, form, at, actor, act, target, reason, detail, hash FROM audit
      WHERE id > $1::int8 ORDER BY id LIMIT $2::int4) AS page
