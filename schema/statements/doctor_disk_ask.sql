-- docket doctor: the file systems of the data directory (a backend's own directory) and of the WAL.  Only
-- for superusers and pg_execute_server_program.
COPY docket_doctor_disk FROM PROGRAM 'df -Pk . pg_wal | tail -n +2'
