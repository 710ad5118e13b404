-- Keeps events under their ids; one that is there already stays as it is.
--   $1 provider   $2 event ids   $3 types   $4 stages (0: nobody has to look)   $5 what they say
--   $6 intents    $7 orders or NULL
-- One row back for each that was new: its position from 1.
-- In the order of their ids, so that two batches with the same events do not deadlock.
WITH event AS MATERIALIZED (
    SELECT e.event_id, e.type, e.stage, e.says, e.intent_id, e.order_id, e.n
    FROM unnest($2::text[], $3::text[], $4::int2[], $5::int2[], $6::text[], $7::uuid[])
         WITH ORDINALITY AS e (event_id, type, stage, says, intent_id, order_id, n)
), stored AS (
    INSERT INTO webhook_inbox (provider, event_id, type, stage, says, intent_id, order_id, due_at,
                               outcome)
    SELECT $1::text, event_id, type, stage, says, intent_id, order_id,
           CASE WHEN stage <> 0 THEN now() END, CASE WHEN stage = 0 THEN 'not_needed' ELSE '' END
    FROM event ORDER BY event_id, n
    ON CONFLICT DO NOTHING
    RETURNING event_id
)
SELECT min(e.n)::int4 FROM stored s JOIN event e ON e.event_id = s.event_id GROUP BY e.event_id
