-- docket doctor: where the data is, if the server is on this machine and the role may know; and how large.
SELECT current_setting('data_directory', true),
       coalesce(host(inet_server_addr()) IN ('127.0.0.1', '::1'), true),
       pg_size_pretty(pg_database_size(current_database())),
       pg_has_role(current_user, 'pg_execute_server_program', 'USAGE')
