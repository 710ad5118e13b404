-- serves-from: 1
-- A change of stock raises the row's version, which is part of its key: the newest is found from the end of the index.
-- By the sku alone, whoever looks for it walks over all that a transaction held open keeps from being removed, one
-- for each batch since.  A sku has one row still: only acts of operators add one, one after the other (audit_lock.sql).
-- (An API that is older cannot change stock or load a catalogue from now on; workers that are older go on.)
ALTER TABLE stock ADD COLUMN version bigint NOT NULL DEFAULT 0;
ALTER TABLE stock DROP CONSTRAINT stock_pkey, ADD CONSTRAINT stock_pkey PRIMARY KEY (sku, version);
ALTER TABLE stock SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
