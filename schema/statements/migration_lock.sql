-- One `docket migrate` at a time; the session holds it.
SELECT pg_advisory_lock(hashtext('docket migrate'))
