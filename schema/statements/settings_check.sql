-- Asked once of each server we connect to: is it one that keeps promises, and has it our schema?
SELECT current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS full_page_writes,
       current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('synchronous_standby_names') AS standby_names,
       pg_is_in_recovery() AS is_standby,
       coalesce(to_regclass('public.migration')::text, '') AS migration_table,
       (extract(epoch FROM clock_timestamp()) * 1000)::int8 AS unix_ms
