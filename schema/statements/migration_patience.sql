-- A migration that would wait for a lock longer than this would stop orders behind it.
SET LOCAL lock_timeout = '3s'
