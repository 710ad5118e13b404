-- One `docket migrate retire` at a time; the session holds it.
SELECT pg_try_advisory_lock(hashtext('docket migrate retire'))
