-- serves-from: 1
-- Since a scan of a whole table counts as dear in the programs' sessions (0001), the planner gave the gauges of the
-- tables without an index, however small, parallel workers: each look forked one and took a second core from orders.
ALTER ROLE docket_api SET max_parallel_workers_per_gather = 0;
ALTER ROLE docket_relay SET max_parallel_workers_per_gather = 0;
ALTER ROLE docket_worker SET max_parallel_workers_per_gather = 0;
