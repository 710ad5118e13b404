-- serves-from: 1
-- Dead letters by incident, counted without counting, and found by one filter (schema/dead_filter.h).

-- When it gave up the last time; created_at is the first time.
ALTER TABLE dead_letter ADD COLUMN failed_at timestamptz NOT NULL DEFAULT now();

-- What an incident is made of -------------------------------------------------------------------

-- The text of a fault without what differs from one order to the next (quoted words, and words with a
-- digit in them), where the code alone says too little: none, an HTTP status, or one for many causes.
CREATE FUNCTION dead_pattern(code text, said text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN code = '' OR code ~ '_[0-9]{3}$'
                     OR code IN ('outcome_refused', 'unreadable_message')
        THEN left(btrim(regexp_replace(regexp_replace(regexp_replace(lower(said),
                 '''[^'']*''|"[^"]*"', '"…"', 'g'), '[[:alnum:]_-]*[0-9][[:alnum:]_-]*', '#', 'g'),
                 '\s+', ' ', 'g')), 120)
        ELSE '' END
$$;

-- The one place: a trigger puts it in each row, whatever the writer believed.
CREATE FUNCTION dead_fingerprint(stage smallint, kind text, code text, said text) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT 'inc_' || left(encode(sha256(convert_to(
               concat_ws('/', stage, kind, code, dead_pattern(code, said)), 'UTF8')), 'hex'), 12)
$$;

CREATE FUNCTION dead_letter_mark() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public AS $$
BEGIN
    NEW.fingerprint := dead_fingerprint(NEW.stage, NEW.fault_kind, NEW.fault_code, NEW.fault_text);
    RETURN NEW;
END $$;

CREATE TRIGGER dead_letter_mark
    BEFORE INSERT OR UPDATE OF stage, fault_kind, fault_code, fault_text, fingerprint ON dead_letter
    FOR EACH ROW EXECUTE FUNCTION dead_letter_mark();

UPDATE dead_letter SET failed_at = created_at, fingerprint = '';

-- Counters ------------------------------------------------------------------------------------------

-- The letters of one fingerprint and currency, as far as the relay has folded dead_delta into it.
CREATE TABLE incident (
    fingerprint text NOT NULL,
    currency    text NOT NULL,
    stage       smallint NOT NULL,
    fault_kind  text NOT NULL,
    fault_code  text NOT NULL,
    pattern     text NOT NULL,               -- dead_pattern()
    open        bigint NOT NULL,             -- letters in each state
    replaying   bigint NOT NULL,
    resolved    bigint NOT NULL,
    discarded   bigint NOT NULL,
    at_risk     numeric NOT NULL,            -- minor units, of those open or replaying
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    PRIMARY KEY (fingerprint, currency)
);
CREATE INDEX incident_last ON incident (last_at);

-- What one statement changed of that; append-only but for the fold, which takes rows away in the
-- transaction that adds them to incident.
CREATE TABLE dead_delta (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint text NOT NULL,
    currency    text NOT NULL,
    stage       smallint NOT NULL,
    fault_kind  text NOT NULL,
    fault_code  text NOT NULL,
    pattern     text NOT NULL,
    open        bigint NOT NULL,
    replaying   bigint NOT NULL,
    resolved    bigint NOT NULL,
    discarded   bigint NOT NULL,
    at_risk     numeric NOT NULL,
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL
);

INSERT INTO incident (fingerprint, currency, stage, fault_kind, fault_code, pattern, open, replaying,
                      resolved, discarded, at_risk, first_at, last_at)
SELECT fingerprint, currency, min(stage), min(fault_kind), min(fault_code),
       dead_pattern(min(fault_code), min(fault_text)),
       count(*) FILTER (WHERE state = 'open'), count(*) FILTER (WHERE state = 'replaying'),
       count(*) FILTER (WHERE state = 'resolved'), count(*) FILTER (WHERE state = 'discarded'),
       coalesce(sum(amount) FILTER (WHERE state IN ('open', 'replaying')), 0),
       min(created_at), max(failed_at)
FROM dead_letter GROUP BY fingerprint, currency;

-- The rows of a statement as they are now (+), or as they were (-).
CREATE FUNCTION dead_letter_count() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public AS $$
DECLARE
    sign integer := TG_ARGV[0];
BEGIN
    INSERT INTO dead_delta (fingerprint, currency, stage, fault_kind, fault_code, pattern, open,
                            replaying, resolved, discarded, at_risk, first_at, last_at)
    SELECT fingerprint, currency, min(stage), min(fault_kind), min(fault_code),
           dead_pattern(min(fault_code), min(fault_text)),
           sign * count(*) FILTER (WHERE state = 'open'),
           sign * count(*) FILTER (WHERE state = 'replaying'),
           sign * count(*) FILTER (WHERE state = 'resolved'),
           sign * count(*) FILTER (WHERE state = 'discarded'),
           sign * coalesce(sum(amount) FILTER (WHERE state IN ('open', 'replaying')), 0),
           min(created_at), max(failed_at)
    FROM changed GROUP BY fingerprint, currency;
    RETURN NULL;
END $$;

CREATE TRIGGER dead_letter_count_insert AFTER INSERT ON dead_letter
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION dead_letter_count('1');
CREATE TRIGGER dead_letter_count_before AFTER UPDATE ON dead_letter
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION dead_letter_count('-1');
CREATE TRIGGER dead_letter_count_after AFTER UPDATE ON dead_letter
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION dead_letter_count('1');
CREATE TRIGGER dead_letter_count_delete AFTER DELETE ON dead_letter
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION dead_letter_count('-1');

-- What is found quickly -------------------------------------------------------------------------

-- The skus of a letter's order, in the letter's state.
CREATE TABLE dead_letter_sku (
    letter     bigint NOT NULL,
    sku        text NOT NULL,
    state      text NOT NULL,
    created_at timestamptz NOT NULL,         -- the letter's
    PRIMARY KEY (letter, sku)
);
CREATE INDEX dead_letter_sku_state ON dead_letter_sku (sku, state, created_at, letter);

-- LATERAL with a limit, and lists of ids: one probe a row, whatever a plan made over empty tables believes.
CREATE FUNCTION dead_letter_skus() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public AS $$
DECLARE
    now_in text;
    ids bigint[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO dead_letter_sku (letter, sku, state, created_at)
        SELECT DISTINCT changed.id, line.sku, changed.state, changed.created_at
        FROM changed CROSS JOIN LATERAL (
            SELECT l.sku FROM order_line l WHERE l.order_id = changed.order_id LIMIT 1000
        ) AS line;
        RETURN NULL;
    END IF;
    FOR now_in, ids IN SELECT state, array_agg(id) FROM changed GROUP BY state LOOP
        UPDATE dead_letter_sku SET state = now_in WHERE letter = ANY (ids) AND state <> now_in;
    END LOOP;
    RETURN NULL;
END $$;

INSERT INTO dead_letter_sku (letter, sku, state, created_at)
SELECT DISTINCT d.id, l.sku, d.state, d.created_at
FROM dead_letter d JOIN order_line l ON l.order_id = d.order_id;

CREATE TRIGGER dead_letter_skus_insert AFTER INSERT ON dead_letter
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION dead_letter_skus();
CREATE TRIGGER dead_letter_skus_update AFTER UPDATE ON dead_letter
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION dead_letter_skus();

DROP INDEX dead_letter_open;
CREATE INDEX dead_letter_order ON dead_letter (order_id);
CREATE INDEX dead_letter_state ON dead_letter (state, created_at, id);
CREATE INDEX dead_letter_incident ON dead_letter (fingerprint, state, created_at, id);
CREATE INDEX dead_letter_amount ON dead_letter (currency, amount);
CREATE INDEX dead_letter_attempts ON dead_letter (attempts);

-- The incidents, whether folded or not: one row for each fingerprint and currency, summed by the reader.
CREATE VIEW incident_part AS
    SELECT fingerprint, currency, stage, fault_kind, fault_code, pattern, open, replaying, resolved,
           discarded, at_risk, first_at, last_at FROM incident
    UNION ALL
    SELECT fingerprint, currency, stage, fault_kind, fault_code, pattern, open, replaying, resolved,
           discarded, at_risk, first_at, last_at FROM dead_delta;

-- The filter -----------------------------------------------------------------------------------------

CREATE FUNCTION dead_texts(list jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(value) FROM jsonb_array_elements_text(list)
$$;

-- The fingerprints that a filter allows, and how many letters they have in its states; NULL: it names
-- nothing that a fingerprint is made of.
CREATE FUNCTION dead_fingerprints(filter jsonb, OUT fingerprints text[], OUT letters numeric)
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    states text[] := dead_texts(filter -> 'states');
BEGIN
    IF NOT filter ?| ARRAY['incidents', 'stages', 'kinds', 'codes'] THEN
        RETURN;
    END IF;
    SELECT coalesce(array_agg(f.fingerprint), '{}'), coalesce(sum(f.letters), 0)
    INTO fingerprints, letters
    FROM (
        SELECT p.fingerprint,
               sum(CASE WHEN 'open' = ANY (states) THEN open ELSE 0 END
                   + CASE WHEN 'replaying' = ANY (states) THEN replaying ELSE 0 END
                   + CASE WHEN 'resolved' = ANY (states) THEN resolved ELSE 0 END
                   + CASE WHEN 'discarded' = ANY (states) THEN discarded ELSE 0 END) AS letters
        FROM incident_part p
        WHERE (filter -> 'incidents' IS NULL OR filter -> 'incidents' ? p.fingerprint)
          AND (filter -> 'stages' IS NULL OR filter -> 'stages' @> to_jsonb(p.stage))
          AND (filter -> 'kinds' IS NULL OR filter -> 'kinds' ? p.fault_kind)
          AND (filter -> 'codes' IS NULL OR filter -> 'codes' ? p.fault_code)
        GROUP BY p.fingerprint
    ) AS f
    WHERE f.letters > 0;
END $$;

-- Whether at most `most` letters meet a condition that an index answers.
CREATE FUNCTION dead_is_rare(condition text, most integer) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT AS $$
DECLARE
    found bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT FROM dead_letter d WHERE %s LIMIT %s) AS f',
                   condition, most + 1) INTO found;
    RETURN found <= most;
END $$;

-- `column = ANY (…)` for a list of the filter; NULL without it.
CREATE FUNCTION dead_any(column_name text, list jsonb, type text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN list IS NOT NULL
                THEN format('%s = ANY (%L::%s[])', column_name, dead_texts(list), type) END
$$;

-- `column >= n AND column <= m` for a range of the filter; NULL without either end.
CREATE FUNCTION dead_range(column_name text, low text, high text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT nullif(concat_ws(' AND ', column_name || ' >= ' || low::bigint,
                            column_name || ' <= ' || high::bigint), '')
$$;

-- All that a filter asks of a letter d, but when it was made.
CREATE FUNCTION dead_condition(filter jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT concat_ws(' AND ',
        dead_any('d.state', filter -> 'states', 'text'),
        dead_any('d.id', filter -> 'ids', 'bigint'),
        dead_any('d.order_id', filter -> 'orders', 'uuid'),
        dead_any('d.fingerprint', filter -> 'incidents', 'text'),
        dead_any('d.stage', filter -> 'stages', 'smallint'),
        dead_any('d.fault_kind', filter -> 'kinds', 'text'),
        dead_any('d.fault_code', filter -> 'codes', 'text'),
        'd.currency = ' || quote_literal(filter ->> 'currency'),
        dead_range('d.amount', filter ->> 'amount_min', filter ->> 'amount_max'),
        dead_range('d.attempts', filter ->> 'attempts_min', filter ->> 'attempts_max'),
        (SELECT string_agg(format('strpos(lower(d.fault_text), lower(%L)) > 0', value), ' AND ')
         FROM jsonb_array_elements_text(filter -> 'texts')),
        CASE WHEN filter ? 'skus' THEN format(
            'EXISTS (SELECT FROM dead_letter_sku k'
            ' WHERE k.letter = d.id AND k.sku = ANY (%L::text[]))',
            dead_texts(filter -> 'skus')) END)
$$;

-- A cursor is the time at which `age` is taken, and the created_at and id of the last letter that was
-- looked at, in µs.
CREATE FUNCTION dead_time(us bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT 'epoch'::timestamptz + us * interval '1 microsecond'
$$;
CREATE FUNCTION dead_cursor(as_of timestamptz, at timestamptz, id bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws('-', (extract(epoch FROM as_of) * 1000000)::bigint,
                     (extract(epoch FROM at) * 1000000)::bigint, id)
$$;

-- The time at which `age` is taken: the filter's, the cursor's, or now.
CREATE FUNCTION dead_as_of(filter jsonb, cursor text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT coalesce((filter ->> 'as_of')::timestamptz,
                    dead_time(split_part(cursor, '-', 1)::bigint), now())
$$;

-- When the letters were made that a filter allows, after a cursor (NULL: from the newest).
CREATE FUNCTION dead_times(filter jsonb, id_column text, cursor text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(' AND ', 'true',
        'd.created_at <= ' || quote_literal(dead_as_of(filter, cursor)
            - (filter ->> 'age_min_s')::bigint * interval '1 second'),
        'd.created_at >= ' || quote_literal(dead_as_of(filter, cursor)
            - (filter ->> 'age_max_s')::bigint * interval '1 second'),
        'd.created_at >= ' || quote_literal((filter ->> 'since')::timestamptz),
        'd.created_at < ' || quote_literal((filter ->> 'until')::timestamptz),
        format('(d.created_at, d.%I) < (%L::timestamptz, ', id_column,
               dead_time(split_part(cursor, '-', 2)::bigint))
            || split_part(cursor, '-', 3)::bigint || ')')
$$;

-- The letters that meet `condition`, newest first.
CREATE FUNCTION dead_branch(condition text, times text, scan_max integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT format('(SELECT d.* FROM dead_letter d WHERE %s AND %s '
                  'ORDER BY d.created_at DESC, d.id DESC LIMIT %s)', condition, times, scan_max)
$$;

-- The same of one sku.
CREATE FUNCTION dead_branch_sku(sku text, state text, times text, scan_max integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT format('(SELECT d.* FROM (SELECT d.letter, d.created_at FROM dead_letter_sku d '
                  'WHERE d.sku = %L AND d.state = %L AND %s '
                  'ORDER BY d.created_at DESC, d.letter DESC LIMIT %s) AS k '
                  'JOIN dead_letter d ON d.id = k.letter AND d.created_at = k.created_at '
                  'ORDER BY d.created_at DESC, d.id DESC)', sku, state, times, scan_max)
$$;

-- A condition of the filter that few letters meet, so that all of them may be sorted; NULL: none.
CREATE FUNCTION dead_rare(filter jsonb, most integer) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    condition text := coalesce(dead_any('d.id', filter -> 'ids', 'bigint'),
                               dead_any('d.order_id', filter -> 'orders', 'uuid'));
    amounts text := dead_range('d.amount', filter ->> 'amount_min', filter ->> 'amount_max');
BEGIN
    IF condition IS NOT NULL THEN
        RETURN condition;
    END IF;
    FOREACH condition IN ARRAY ARRAY[
        format('d.currency = %L', filter ->> 'currency') || ' AND ' || amounts,
        dead_range('d.attempts', filter ->> 'attempts_min', filter ->> 'attempts_max')] LOOP
        IF dead_is_rare(condition, most) THEN
            RETURN condition;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- Where the letters that a filter may allow are read from, newest first, by the index that brings the
-- fewest others; branches of one index are merged.  NULL: there can be none.
CREATE FUNCTION dead_source(filter jsonb, cursor text, scan_max integer) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    few CONSTANT integer := 5000;
    branches_max CONSTANT integer := 60;
    times text := dead_times(filter, 'id', cursor);
    states text[] := dead_texts(filter -> 'states');
    rare text := dead_rare(filter, few);
    heads record;
BEGIN
    IF rare IS NOT NULL THEN
        RETURN dead_branch(rare, times, scan_max);
    END IF;
    heads := dead_fingerprints(filter);
    IF heads.fingerprints = '{}' THEN
        RETURN NULL;
    ELSIF filter ? 'skus' AND coalesce(heads.letters > few, true) THEN
        times := dead_times(filter, 'letter', cursor);
        RETURN (SELECT string_agg(dead_branch_sku(sku, state, times, scan_max), ' UNION ALL ')
                FROM unnest(dead_texts(filter -> 'skus')) AS sku, unnest(states) AS state);
    ELSIF cardinality(heads.fingerprints) * cardinality(states) <= branches_max THEN
        RETURN (SELECT string_agg(dead_branch(format('d.fingerprint = %L AND d.state = %L',
                                                     fingerprint, state), times, scan_max),
                                  ' UNION ALL ')
                FROM unnest(heads.fingerprints) AS fingerprint, unnest(states) AS state);
    END IF;
    RETURN (SELECT string_agg(dead_branch(format('d.state = %L', state), times, scan_max),
                              ' UNION ALL ')
            FROM unnest(states) AS state);
END $$;

-- One page of the letters that a filter allows, newest first, after a cursor (NULL: the first page).  At
-- most scan_max are looked at and rows_max come back.
--   searched: how many were looked at up to this row
--   next: in the last row, if there may be more: the cursor.  That row may be no match.
CREATE FUNCTION dead_page(filter jsonb, cursor text, scan_max integer, rows_max integer)
    RETURNS TABLE (id bigint, created_at timestamptz, is_match boolean, searched bigint, next text)
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    source text := dead_source(filter, cursor, scan_max);
BEGIN
    IF source IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT s.id, s.created_at, s.is_match, s.n,'
        '       CASE WHEN s.n = %3$s OR row_number() OVER () = %4$s'
        '            THEN dead_cursor(%5$L, s.created_at, s.id) END '
        'FROM ('
        '    SELECT d.id, d.created_at, (%1$s) AS is_match, row_number() OVER () AS n FROM ('
        '        SELECT DISTINCT ON (d.created_at, d.id) d.* FROM (%2$s) AS d '
        '        ORDER BY d.created_at DESC, d.id DESC LIMIT %3$s) AS d'
        ') AS s WHERE s.is_match OR s.n = %3$s LIMIT %4$s',
        dead_condition(filter), source, scan_max, rows_max, dead_as_of(filter, cursor));
END $$;

-- All of them at once.
CREATE FUNCTION dead_matching(filter jsonb) RETURNS SETOF dead_letter LANGUAGE sql STABLE AS $$
    SELECT d.* FROM dead_page(filter, NULL, 2147483647, 2147483647) AS p
    CROSS JOIN LATERAL (SELECT d.* FROM dead_letter d WHERE d.id = p.id LIMIT 1) AS d
    WHERE p.is_match
$$;

-- What discarding a letter does: docs/dead-letters.md says why.
--   cancels: nobody was asked for money: its order ends as canceled, and its stock goes back
--   closes: its order has ended, or it names none: the letter alone is closed
--   kept_paid, kept_unknown, kept_moving: nothing is done: the order is paid; money may have moved;
--   its step is no longer dead
CREATE FUNCTION dead_fate(letter_order uuid, letter_stage smallint, letter_state text) RETURNS text
    LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN letter_state <> 'open' THEN 'kept_moving'
        WHEN o.id IS NULL OR o.final THEN 'closes'
        WHEN t.state IS DISTINCT FROM 6 THEN 'kept_moving'
        WHEN letter_stage <> 1 OR a.state = 3 THEN 'kept_paid'
        WHEN o.status IN (1, 2, 5, 6, 7, 8) AND coalesce(a.state, 1) IN (1, 4, 7) THEN 'cancels'
        ELSE 'kept_unknown' END
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (SELECT id, final, status FROM orders WHERE id = letter_order LIMIT 1) AS o ON true
    LEFT JOIN LATERAL (SELECT state FROM task WHERE order_id = letter_order AND stage = letter_stage
                       LIMIT 1) AS t ON true
    LEFT JOIN LATERAL (SELECT state FROM payment_attempt WHERE order_id = letter_order
                       ORDER BY number DESC LIMIT 1) AS a ON true
$$;

-- Grants ---------------------------------------------------------------------------------------------

GRANT SELECT ON incident, dead_delta, incident_part, dead_letter_sku TO docket_api, docket_relay;
GRANT INSERT, UPDATE ON incident TO docket_relay;
GRANT DELETE ON dead_delta TO docket_relay;
GRANT UPDATE ON payment_attempt, reservation TO docket_api;  -- a discard
