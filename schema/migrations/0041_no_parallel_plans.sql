-- serves-from: 1
-- Since a scan of a whole table counts as dear in the programs' sessions (0001), the planner gave the gauges of the
-- tables without an index, however small, parallel workers: each look forked one and took a second core from orders.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['docket_api', 'docket_relay', 'docket_worker'] LOOP
        EXECUTE format('ALTER ROLE %I SET max_parallel_workers_per_gather = 0', name);
    END LOOP;
END $$;
