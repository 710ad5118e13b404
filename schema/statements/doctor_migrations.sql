-- docket doctor: is the schema the one that this program knows?
--   $1 the versions it was built with   $2 their names   $3 their checksums
WITH known AS (
    SELECT version, name, checksum
    FROM unnest($1::int4[], $2::text[], $3::text[]) AS k (version, name, checksum)
), missing AS (
    SELECT k.name FROM known k LEFT JOIN migration m ON m.version = k.version
    WHERE m.version IS NULL
), edited AS (
    SELECT k.name FROM known k JOIN migration m ON m.version = k.version
    WHERE m.checksum <> k.checksum
), newer AS (
    SELECT max(serves_from) AS serves_from FROM migration
    HAVING max(serves_from) > (SELECT max(version) FROM known)
)
SELECT 'schema.migrations', 'fail', count(*) || ' not applied: ' || string_agg(name, ', ' ORDER BY name),
       'docket migrate up'
FROM missing HAVING count(*) > 0
UNION ALL
SELECT 'schema.migrations', 'fail', 'edited after it was applied: ' || string_agg(name, ', ' ORDER BY name),
       'put its old text back, and write a new migration'
FROM edited HAVING count(*) > 0
UNION ALL
SELECT 'schema.migrations', 'fail', 'the schema serves programs from ' || serves_from || ' on, not this one',
       'install a newer Docket here'
FROM newer
UNION ALL
SELECT 'schema.migrations', 'ok', 'all ' || (SELECT count(*) FROM known) || ' are applied', ''
WHERE NOT EXISTS (SELECT FROM missing) AND NOT EXISTS (SELECT FROM edited)
  AND NOT EXISTS (SELECT FROM newer)
