-- serves-from: 1
-- What `docket status` looks at besides: who leads, and who works.
GRANT SELECT ON relay_lease, worker, claimed TO docket_api;
