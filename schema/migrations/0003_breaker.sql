-- serves-from: 1
-- Circuit breakers, what operators pause, and the tasks that wait parked for either.

-- Rises with each change of any row, so that who has seen a number can tell older from newer.
CREATE SEQUENCE breaker_version CACHE 1;

-- One row a provider or carrier and class of faults; class `operator` is held open by a person.  The
-- rows of one outside are let go together: it calls or it does not.  A stage's own row (is_queue)
-- keeps its workers from taking tasks up.
CREATE TABLE breaker (
    name         text NOT NULL,               -- a provider, a carrier, or a stage
    class        text NOT NULL
                 CHECK (class IN ('connect', 'timeout', 'server_error', 'rate_limit', 'operator')),
    stage        smallint NOT NULL,           -- whose tasks it holds back
    is_queue     boolean NOT NULL DEFAULT false,
    state        smallint NOT NULL DEFAULT 1, -- 1 closed, 2 open, 3 probing, 4 ramping
    held         boolean NOT NULL DEFAULT false,      -- only an operator lets it go
    version      bigint NOT NULL DEFAULT 0,           -- of its last change
    opened       bigint NOT NULL DEFAULT 0,           -- version at which it was opened last
    since        timestamptz NOT NULL DEFAULT now(),  -- when state or rate changed last
    opens        integer NOT NULL DEFAULT 0,          -- in a row, without having closed
    opened_total bigint NOT NULL DEFAULT 0,
    rate         integer NOT NULL DEFAULT 0,          -- of a ramping one: tasks a second
    released     bigint NOT NULL DEFAULT 0,           -- let out since it was opened last
    goods        bigint NOT NULL DEFAULT 0,           -- … and answered
    probe        uuid,                                -- the order let out last, while probing
    who          text NOT NULL DEFAULT '',            -- the process or the operator that opened it
    why          text NOT NULL DEFAULT '',
    PRIMARY KEY (name, class)
) WITH (fillfactor = 50);

-- A parked task is found by its index alone, so a row that the index would miss cannot be written.
-- Claims and outcomes change neither column: they stay HOT.  NOT VALID: older rows are not read.
ALTER TABLE task
    ADD COLUMN parked_at timestamptz,
    ADD COLUMN pass bigint NOT NULL DEFAULT 0,  -- breaker.opened at which it was let out last
    ADD CONSTRAINT task_parked_is_found CHECK ((state = 4) = (parked_at IS NOT NULL)) NOT VALID;
CREATE INDEX task_parked ON task (stage, order_id) WHERE parked_at IS NOT NULL;

GRANT SELECT, INSERT, UPDATE ON breaker TO docket_worker, docket_api;
GRANT SELECT, UPDATE ON breaker TO docket_relay;
GRANT USAGE ON SEQUENCE breaker_version TO docket_worker, docket_api, docket_relay;
