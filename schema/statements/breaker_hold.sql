-- An operator pauses a stage's queue or whom it calls, or lets it go on; an outside that was found
-- away is then probed at once.  What is so already stays so, and nothing was done.
--   $1 who   $2 why   $3 name   $4 stage   $5 it is the stage's queue   $6 paused from now on
WITH new AS MATERIALIZED (
    SELECT nextval('breaker_version') AS version
), paused AS (
    INSERT INTO breaker (name, class, stage, is_queue, state, held, version, opened, opened_total,
                         who, why)
    SELECT $3::text, 'operator', $4::int2, $5::bool, 2, true, version, version, 1, $1::text, $2::text
    FROM new WHERE $6::bool
    ON CONFLICT (name, class) DO UPDATE
    SET state = 2, held = true, version = excluded.version, opened = excluded.version,
        opened_total = breaker.opened_total + 1, since = now(), opens = 0, rate = 0, released = 0,
        goods = 0, probe = NULL, who = excluded.who, why = excluded.why
    WHERE NOT breaker.held
    RETURNING name
), resumed AS (
    UPDATE breaker b
    SET held = false, state = CASE WHEN b.is_queue THEN 1 ELSE 2 END, version = new.version,
        since = 'epoch', opens = 0
    FROM new
    WHERE NOT $6::bool AND b.name = $3::text AND (b.held OR b.state = 2)
    RETURNING b.name
), act AS (
    SELECT audit_append($1::text, CASE WHEN $6::bool THEN 'pause' ELSE 'resume' END,
                        CASE WHEN $5::bool THEN 'queue ' ELSE 'outside ' END || $3::text, $2::text)
           AS id
    WHERE EXISTS (SELECT FROM paused) OR EXISTS (SELECT FROM resumed)
)
SELECT jsonb_build_object('name', $3::text, 'queue', $5::bool, 'paused', $6::bool,
                          'changed', EXISTS (SELECT FROM act),
                          'audit', (SELECT id FROM act))::text
