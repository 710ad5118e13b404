-- The end of one migration.
COMMIT
