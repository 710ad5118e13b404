-- What `docket migrate` knows: one row a migration.  This file alone is run every time, and may be changed.
-- The table's comment says "<version> <serves from>" to every program that connects, also to one
-- that may not read the table, and it can be asked for where the table is missing.
CREATE TABLE IF NOT EXISTS migration (
    version     integer PRIMARY KEY,
    name        text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    serves_from integer NOT NULL,
    checksum    text NOT NULL
);
CREATE OR REPLACE FUNCTION migration_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COMMENT ON TABLE migration IS %L',
                   (SELECT max(version) || ' ' || max(serves_from) FROM migration));
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER migration_note AFTER INSERT ON migration
    FOR EACH STATEMENT EXECUTE FUNCTION migration_note();
