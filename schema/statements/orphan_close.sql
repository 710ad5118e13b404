-- A person has settled a difference that the books will go on to show; no sweep opens it again.
--   $1 who  $2 why  $3 id
-- No row: there is none of that id.  One that is closed stays as it is, and nothing was done.
WITH closed AS (
    UPDATE orphan SET resolved_at = now(), resolved_by = $1::text
    WHERE id = $3::int8 AND resolved_at IS NULL
    RETURNING id, side, intent_id, amount, received, currency, resolved_at
), act AS (
    SELECT audit_append($1::text, 'orphan close', 'orphan ' || id, $2::text,
                        jsonb_build_object('intent', intent_id, 'received', received,
                                           'currency', currency)) AS id
    FROM closed
)
SELECT jsonb_build_object('id', o.id, 'intent', o.intent_id,
                          'resolved_at', coalesce((SELECT resolved_at FROM closed), o.resolved_at),
                          'audit', (SELECT id FROM act))::text
FROM orphan o WHERE o.id = $3::int8
