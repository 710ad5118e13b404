-- Asked once of each server we connect to: is it one that keeps promises, and has it our schema?  The
-- comment of the table `migration` is written by `docket migrate`: "<version> <serves from>".
SELECT current_setting('fsync'),
       current_setting('full_page_writes'),
       current_setting('synchronous_commit'),
       current_setting('synchronous_standby_names'),
       pg_is_in_recovery(),
       coalesce(obj_description(to_regclass('public.migration'), 'pg_class'), ''),
       (extract(epoch FROM clock_timestamp()) * 1000000)::int8
