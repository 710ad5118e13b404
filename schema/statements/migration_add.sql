-- A migration was applied.
--   $1 version  $2 name  $3 serves from  $4 checksum
INSERT INTO migration (version, name, serves_from, checksum)
VALUES ($1::int4, $2::text, $3::int4, $4::text)
