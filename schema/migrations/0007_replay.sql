-- serves-from: 1
-- Replay runs: many dead letters let go on, at a pace, by the relay (queue/replay.h).

-- One run.  Its members are frozen in replay_item before the first of them is released.
CREATE TABLE replay_run (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version        integer NOT NULL DEFAULT 1,     -- rises with each change: compare-and-set
    state          text NOT NULL DEFAULT 'filling'
                   CHECK (state IN ('filling', 'running', 'paused', 'stopped', 'canceled', 'done')),
    filter         text,                           -- as it was typed; NULL: ids
    wanted         jsonb,                          -- what it means (schema/dead_filter.h)
    ids            bigint[],
    actor          text NOT NULL,
    reason         text NOT NULL,
    rate           integer NOT NULL CHECK (rate BETWEEN 0 AND 100000),   -- a second; 0: no limit
    ramp           integer[] NOT NULL CHECK (cardinality(ramp) BETWEEN 1 AND 20 AND 1 <= ALL (ramp)),
    stop_share     integer NOT NULL CHECK (stop_share BETWEEN 0 AND 100),   -- percent of a step
    fill_cursor    text,                           -- of dead_page(), while filling by the filter
    cursor         bigint NOT NULL DEFAULT 0,      -- the last letter of ids, then of those dealt with
    members        bigint NOT NULL DEFAULT 0,
    released       bigint NOT NULL DEFAULT 0,
    skipped        bigint NOT NULL DEFAULT 0,      -- not released: see skips
    succeeded      bigint NOT NULL DEFAULT 0,      -- of the released: resolved
    failed_same    bigint NOT NULL DEFAULT 0,      -- … dead again for the same reason
    failed_new     bigint NOT NULL DEFAULT 0,      -- … or another one
    withdrawn      bigint NOT NULL DEFAULT 0,      -- … discarded meanwhile
    skips          jsonb NOT NULL DEFAULT '{}',    -- why → how many
    fails          jsonb NOT NULL DEFAULT '{}',    -- fingerprint → how many
    step           integer NOT NULL DEFAULT 1,     -- never used twice, also when the ramp begins anew
    ramp_at        integer NOT NULL DEFAULT 0,     -- from 0
    step_released  bigint NOT NULL DEFAULT 0,
    step_succeeded bigint NOT NULL DEFAULT 0,      -- withdrawn ones included
    step_failed    bigint NOT NULL DEFAULT 0,
    paced_at       timestamptz NOT NULL DEFAULT '-infinity',   -- up to here the rate is used up
    note           text NOT NULL DEFAULT '',       -- why it stopped, or waits
    made_at        timestamptz NOT NULL DEFAULT now(),
    started_at     timestamptz,                    -- its membership is complete
    ended_at       timestamptz,
    CHECK ((wanted IS NULL) <> (ids IS NULL)),
    CHECK ((wanted IS NULL) = (filter IS NULL))
) WITH (fillfactor = 50);
CREATE INDEX replay_run_open ON replay_run (id) WHERE state IN ('filling', 'running', 'paused');

-- One member of a run.  A released one is in one run's hands at a time.
CREATE TABLE replay_item (
    run_id      bigint NOT NULL,
    letter_id   bigint NOT NULL,
    order_id    uuid,
    stage       smallint NOT NULL,
    step        integer,                           -- of the run, in which it was dealt with
    state       text NOT NULL DEFAULT 'waiting'
                CHECK (state IN ('waiting', 'released', 'succeeded', 'failed', 'withdrawn', 'skipped')),
    why         text NOT NULL DEFAULT '',          -- it was skipped, or the fingerprint it failed with
    released_at timestamptz,
    ended_at    timestamptz,
    PRIMARY KEY (run_id, letter_id)
);
CREATE UNIQUE INDEX replay_item_one_released ON replay_item (letter_id) WHERE state = 'released';

-- What became of released members, until the relay has added it to their runs.
CREATE TABLE replay_delta (
    run_id      bigint NOT NULL,
    step        integer NOT NULL,
    outcome     text NOT NULL,                     -- succeeded, failed_same, failed_new, withdrawn
    fingerprint text NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX replay_delta_at ON replay_delta (at);

-- A dead letter that was being replayed is resolved, or dead again: whoever writes that, the run it
-- belongs to learns of it in the same transaction.
CREATE FUNCTION replay_outcome() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public AS $$
DECLARE
    run bigint;
    run_step integer;
BEGIN
    UPDATE replay_item
    SET state = CASE NEW.state WHEN 'resolved' THEN 'succeeded' WHEN 'open' THEN 'failed'
                               ELSE 'withdrawn' END,
        why = CASE NEW.state WHEN 'open' THEN NEW.fingerprint ELSE '' END,
        ended_at = clock_timestamp()
    WHERE letter_id = NEW.id AND state = 'released'
    RETURNING run_id, step INTO run, run_step;
    IF FOUND THEN
        INSERT INTO replay_delta (run_id, step, outcome, fingerprint)
        VALUES (run, run_step,
                CASE WHEN NEW.state = 'resolved' THEN 'succeeded'
                     WHEN NEW.state <> 'open' THEN 'withdrawn'
                     WHEN NEW.fingerprint = OLD.fingerprint THEN 'failed_same'
                     ELSE 'failed_new' END,
                CASE WHEN NEW.state = 'open' THEN NEW.fingerprint ELSE '' END);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER replay_outcome AFTER UPDATE ON dead_letter FOR EACH ROW
    WHEN (OLD.state = 'replaying' AND NEW.state <> 'replaying') EXECUTE FUNCTION replay_outcome();

GRANT SELECT, INSERT, UPDATE ON replay_run TO docket_api;
GRANT SELECT ON replay_item, replay_delta TO docket_api;
GRANT SELECT, UPDATE ON replay_run TO docket_relay;
GRANT SELECT, INSERT, UPDATE ON replay_item TO docket_relay;
GRANT SELECT, DELETE ON replay_delta TO docket_relay;
GRANT UPDATE ON dead_letter TO docket_relay;
