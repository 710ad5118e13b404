-- serves-from: 1
-- The first Docket.  Ids of orders are UUIDs of version 7 (RFC 9562): what is keyed by an order is
-- partitioned by the month in its id.  Uniqueness across months lives in order_key alone.

-- Roles: they own nothing, and may do what their statements need (the grants are at the end).
-- A role is the cluster's, so another database's migration may be making it at this moment.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['docket_api', 'docket_relay', 'docket_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I LOGIN', name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END $$;

-- Who asks ----------------------------------------------------------------------------------

CREATE TABLE account (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_key (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account,
    name       text NOT NULL,
    prefix     text NOT NULL,            -- its first characters, to recognise it by
    hash       bytea NOT NULL UNIQUE,    -- SHA-256; the key itself is 256 random bits
    scopes     text[] NOT NULL CHECK (scopes <@ ARRAY['checkout', 'orders:read', 'operator']
                                      AND cardinality(scopes) > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

-- The catalogue -------------------------------------------------------------------------------

CREATE TABLE product (
    sku      text PRIMARY KEY CHECK (length(sku) BETWEEN 1 AND 64),
    name     text NOT NULL,
    price    bigint NOT NULL CHECK (price >= 0),     -- minor units
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    active   boolean NOT NULL DEFAULT true
);

CREATE TABLE shipping_method (
    code     text PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
    name     text NOT NULL,
    price    bigint NOT NULL CHECK (price >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    active   boolean NOT NULL DEFAULT true
);

-- One row; its number rises with each change of the two tables above, whoever makes it.
CREATE TABLE catalogue (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL
);
INSERT INTO catalogue (version) VALUES (1);

CREATE FUNCTION catalogue_touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public AS $$
BEGIN
    UPDATE catalogue SET version = version + 1;
    RETURN NULL;
END $$;

CREATE TRIGGER product_touch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON product
    FOR EACH STATEMENT EXECUTE FUNCTION catalogue_touch();
CREATE TRIGGER shipping_method_touch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shipping_method
    FOR EACH STATEMENT EXECUTE FUNCTION catalogue_touch();

CREATE TABLE stock (
    sku       text PRIMARY KEY,
    available bigint NOT NULL CONSTRAINT stock_not_negative CHECK (available >= 0)
) WITH (fillfactor = 50);

-- Orders ------------------------------------------------------------------------------------------

-- A taken key.  A tombstone (abandoned) has no order, and none can arise from its key any more.
CREATE TABLE order_key (
    account_id   bigint NOT NULL,
    key          text NOT NULL,
    cart         text,
    order_id     uuid,                 -- NULL: abandoned
    content_hash bytea NOT NULL,       -- SHA-256 of the canonical body; empty: abandoned
    CONSTRAINT order_key_key PRIMARY KEY (account_id, key),
    CONSTRAINT order_key_cart UNIQUE (account_id, cart),
    CHECK ((order_id IS NULL) = (content_hash = ''))
);

-- status: schema/order_state.h has the names.
CREATE TABLE orders (
    id              uuid NOT NULL,
    account_id      bigint NOT NULL,
    version         integer NOT NULL DEFAULT 1,   -- the only compare-and-set
    status          smallint NOT NULL DEFAULT 1,
    final           boolean NOT NULL DEFAULT false,
    reason          text NOT NULL DEFAULT '',
    currency        text NOT NULL,
    items_total     bigint NOT NULL CHECK (items_total >= 0),
    shipping_total  bigint NOT NULL CHECK (shipping_total >= 0),
    total           bigint NOT NULL CHECK (total = items_total + shipping_total),
    shipping_method text NOT NULL,
    payment_method  text NOT NULL,                -- the provider's token, never a card
    renderer        smallint NOT NULL,            -- of the 202's body
    token_key       smallint NOT NULL,            -- which key signs client_token
    trace           text NOT NULL,                -- W3C traceparent of the POST
    metadata        jsonb,
    accepted_at     timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);

CREATE TABLE order_line (
    order_id uuid NOT NULL,
    position smallint NOT NULL,
    sku      text NOT NULL,
    name     text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    price    bigint NOT NULL CHECK (price >= 0),  -- of one, as it was when the order was accepted
    PRIMARY KEY (order_id, position)
) PARTITION BY RANGE (order_id);

CREATE TABLE order_contact (
    order_id uuid NOT NULL PRIMARY KEY,
    email    text NOT NULL,
    name     text NOT NULL,
    address  jsonb NOT NULL
) PARTITION BY RANGE (order_id);

CREATE TABLE order_event (
    order_id uuid NOT NULL,
    version  integer NOT NULL,       -- of the order, which this event made
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind     text NOT NULL,
    status   smallint NOT NULL,      -- of the order, after it
    process  text NOT NULL,
    detail   jsonb,
    PRIMARY KEY (order_id, version)
) PARTITION BY RANGE (order_id);

-- Work ------------------------------------------------------------------------------------------

-- stage: 1 payment, 2 fulfilment.  state: 1 ready, 2 running, 3 waiting, 4 parked, 5 done, 6 dead.
CREATE TABLE task (
    order_id   uuid NOT NULL,
    stage      smallint NOT NULL,
    state      smallint NOT NULL DEFAULT 1,
    attempt    integer NOT NULL DEFAULT 0,    -- failed ones, since it was made or replayed
    crashes    integer NOT NULL DEFAULT 0,    -- claims whose worker died
    sweeps     integer NOT NULL DEFAULT 0,    -- publications that nobody claimed
    fence      integer NOT NULL DEFAULT 0,    -- rises with each claim
    worker_id  uuid,
    due_at     timestamptz,                   -- of a waiting one
    fault_kind text NOT NULL DEFAULT '',
    fault_code text NOT NULL DEFAULT '',
    fault_text text NOT NULL DEFAULT '',
    PRIMARY KEY (order_id, stage)
) PARTITION BY RANGE (order_id);
-- On due_at alone: a predicate on state would make each claim write the index, too.
CREATE INDEX task_due ON task (due_at) WHERE due_at IS NOT NULL;

-- The messages of one batch, to be published.  Inserted after an order was written in the same
-- transaction, so that its id is drawn after the transaction has an xid (the relay's safe floor
-- rests on it); the identity must stay without a cache.
CREATE TABLE outbox (
    id        bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    topic     smallint NOT NULL,              -- a stage
    order_ids uuid[] NOT NULL CHECK (cardinality(order_ids) BETWEEN 1 AND 100),
    traces    text[] NOT NULL,
    at        timestamptz NOT NULL DEFAULT now()
) WITH (toast_tuple_target = 8160);

-- Messages that the broker has confirmed, until it is seen that their tasks went on: what the
-- sweeper watches.  published_upto is the highest outbox id handed to the broker when the last of
-- them was confirmed: once a message with a higher id was claimed, the queue has given these out.
CREATE TABLE published (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic          smallint NOT NULL,
    order_ids      uuid[] NOT NULL,
    traces         text[] NOT NULL,
    published_upto bigint NOT NULL,
    confirmed_at   timestamptz NOT NULL DEFAULT now(),
    look_at        timestamptz NOT NULL
) WITH (toast_tuple_target = 8160);
CREATE INDEX published_look ON published (look_at);

-- alive_until is renewed each second; the id's advisory lock is held by the session (worker_gone).
CREATE TABLE worker (
    id           uuid PRIMARY KEY,
    process      text NOT NULL,
    stage        smallint NOT NULL,
    claimed_upto bigint NOT NULL DEFAULT 0,   -- the highest outbox id whose message it has claimed
    started_at   timestamptz NOT NULL DEFAULT now(),
    alive_until  timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The highest outbox id claimed by anybody, also by workers whose row is gone.
CREATE TABLE claimed (
    stage smallint PRIMARY KEY,
    upto  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO claimed (stage) VALUES (1), (2);

CREATE TABLE relay_lease (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    holder uuid,
    fence  bigint NOT NULL DEFAULT 0,
    until  timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);
INSERT INTO relay_lease DEFAULT VALUES;

-- Money and goods ---------------------------------------------------------------------------------

-- state: 1 created, 2 authorizing, 3 captured, 4 declined, 5 requires_action, 6 unknown, 7 voided,
-- 8 integrity_failure.  What is sent to the provider is frozen here before it is sent.
CREATE TABLE payment_attempt (
    order_id     uuid NOT NULL,
    number       smallint NOT NULL,
    state        smallint NOT NULL,
    provider     text NOT NULL,
    method       text NOT NULL,
    amount       bigint NOT NULL CHECK (amount > 0),
    currency     text NOT NULL,
    intent_id    text NOT NULL DEFAULT '',
    confirms     smallint NOT NULL DEFAULT 0,    -- the key of the next confirm ends in this number
    sent_at      timestamptz,                    -- of the last confirm that was about to be sent
    decline_code text NOT NULL DEFAULT '',
    captured     bigint NOT NULL DEFAULT 0 CHECK (captured BETWEEN 0 AND amount),
    opened_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, number)
) PARTITION BY RANGE (order_id);
CREATE UNIQUE INDEX payment_attempt_one_open ON payment_attempt (order_id)
    WHERE state IN (1, 2, 5, 6);

CREATE TABLE shipment (
    order_id   uuid NOT NULL PRIMARY KEY,
    reference  text NOT NULL,
    carrier_id text NOT NULL,
    tracking   text NOT NULL,
    shipped_at timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (order_id);

-- state: 1 held, 2 shipped, 3 returned.
CREATE TABLE reservation (
    order_id uuid NOT NULL,
    sku      text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    state    smallint NOT NULL DEFAULT 1,
    PRIMARY KEY (order_id, sku)
) PARTITION BY RANGE (order_id);

-- What gave up, and who did what about it ---------------------------------------------------------

CREATE TABLE dead_letter (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id    uuid,                       -- NULL: a message that names no order of ours
    stage       smallint NOT NULL,          -- 0: unknown
    fingerprint text NOT NULL,              -- stage, fault kind and code: what an incident is made of
    fault_kind  text NOT NULL,
    fault_code  text NOT NULL,
    fault_text  text NOT NULL,
    attempts    integer NOT NULL,
    crashes     integer NOT NULL,
    amount      bigint NOT NULL,            -- the order's total: money at risk
    currency    text NOT NULL,
    history     jsonb NOT NULL,             -- the order's events up to then, or the message
    state       text NOT NULL DEFAULT 'open'
                CHECK (state IN ('open', 'replaying', 'resolved', 'discarded')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    closed_at   timestamptz
);
CREATE INDEX dead_letter_open ON dead_letter (id) WHERE state IN ('open', 'replaying');
CREATE UNIQUE INDEX dead_letter_one_open ON dead_letter (order_id, stage)
    WHERE state IN ('open', 'replaying');

-- One act of an operator; hash covers the row and the hash before it.
CREATE TABLE audit (
    id       bigint PRIMARY KEY,
    at       timestamptz NOT NULL,
    actor    text NOT NULL,
    act      text NOT NULL,
    target   text NOT NULL,
    reason   text NOT NULL,
    hash     bytea NOT NULL
);

-- Partitions --------------------------------------------------------------------------------------

-- The lowest id of a month.
CREATE FUNCTION month_floor(month timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM month) * 1000)::bigint), 12, '0')
            || '00000000000000000000')::uuid
$$;

-- Makes what is missing from this month (and the one before, for clocks that differ) to `ahead`
-- months after it; returns how many tables it made.
CREATE FUNCTION make_partitions(ahead integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public AS $$
DECLARE
    parent text;
    child text;
    month timestamptz;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('docket make_partitions'));
    FOREACH parent IN ARRAY ARRAY['orders', 'order_line', 'order_contact', 'order_event', 'task',
                                  'payment_attempt', 'shipment', 'reservation'] LOOP
        FOR n IN -1 .. ahead LOOP
            month := date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
            month := (month AT TIME ZONE 'UTC' + make_interval(months => n)) AT TIME ZONE 'UTC';
            child := parent || to_char(month AT TIME ZONE 'UTC', '_YYYY_MM');
            CONTINUE WHEN to_regclass(child) IS NOT NULL;
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', child,
                parent, month_floor(month),
                month_floor((month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'));
            IF parent IN ('orders', 'task', 'payment_attempt', 'reservation') THEN
                EXECUTE format('ALTER TABLE %I SET (fillfactor = 70)', child);
            END IF;
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
SELECT make_partitions(13);

-- A worker is gone when its lease has passed, or when the lock of its id can be taken (its session
-- has ended).  Shared, so that several who look at once do not take each other for the worker.
CREATE FUNCTION worker_lock(id uuid) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended(id::text, 7)
$$;
CREATE FUNCTION worker_gone(gone uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM worker w
                       WHERE w.id = gone AND w.alive_until > clock_timestamp())
        OR pg_try_advisory_xact_lock_shared(worker_lock(gone));
END $$;

-- What the programs' sessions need: plans that do not depend on when they were made (tables are
-- empty then), deadlocks found quickly, nobody idle in a transaction.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['docket_api', 'docket_relay', 'docket_worker'] LOOP
        EXECUTE format('ALTER ROLE %I SET jit = off', name);
        EXECUTE format('ALTER ROLE %I SET plan_cache_mode = force_generic_plan', name);
        EXECUTE format('ALTER ROLE %I SET enable_seqscan = off', name);
        EXECUTE format('ALTER ROLE %I SET enable_hashjoin = off', name);
        EXECUTE format('ALTER ROLE %I SET enable_mergejoin = off', name);
        EXECUTE format('ALTER ROLE %I SET enable_bitmapscan = off', name);
        EXECUTE format('ALTER ROLE %I SET deadlock_timeout = ''20ms''', name);
        EXECUTE format('ALTER ROLE %I SET lock_timeout = ''1s''', name);
        EXECUTE format('ALTER ROLE %I SET statement_timeout = ''20s''', name);
        EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''10s''', name);
    END LOOP;
END $$;

-- Grants: each program may do what its statements need (tests compare the two).
GRANT USAGE ON SCHEMA public TO docket_api, docket_relay, docket_worker;
GRANT SELECT, INSERT ON orders, order_line, order_contact, order_event, task, outbox, order_key
    TO docket_api;
GRANT SELECT ON payment_attempt, shipment, reservation TO docket_api;
GRANT SELECT, INSERT, UPDATE ON account, api_key, product, shipping_method, stock TO docket_api;
GRANT SELECT ON catalogue TO docket_api;
GRANT SELECT, UPDATE ON dead_letter TO docket_api;
GRANT UPDATE ON orders, task TO docket_api;              -- an operator's replay
GRANT SELECT, INSERT ON audit TO docket_api;

GRANT SELECT, INSERT, DELETE ON outbox, published TO docket_relay;
GRANT SELECT ON SEQUENCE outbox_id_seq TO docket_relay;
GRANT UPDATE ON published TO docket_relay;
GRANT SELECT, UPDATE ON orders, task, relay_lease, claimed TO docket_relay;
GRANT SELECT, INSERT ON order_event TO docket_relay;
GRANT SELECT, INSERT ON dead_letter TO docket_relay;
GRANT SELECT, DELETE ON worker TO docket_relay;
GRANT EXECUTE ON FUNCTION make_partitions(integer) TO docket_relay;

GRANT SELECT, UPDATE ON orders, claimed, stock, dead_letter TO docket_worker;
GRANT SELECT ON order_line, order_contact TO docket_worker;
GRANT SELECT, INSERT, UPDATE ON task, payment_attempt, shipment, reservation, worker
    TO docket_worker;
GRANT SELECT, INSERT ON order_event, outbox, dead_letter TO docket_worker;
REVOKE EXECUTE ON FUNCTION make_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_partitions(integer) TO docket_relay;
