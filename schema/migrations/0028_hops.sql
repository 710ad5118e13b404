-- serves-from: 1
-- The way of an order to the event, as far as no event before it tells: of a claim, when its message was
-- published and when the worker received it; of an outcome, when its calls to the outside were begun and
-- when they had their answer.  By the database's date, as its writers know it.  NULL: there was none, or it
-- was written by an older program.  One column, since with two more a row would have a longer header.
ALTER TABLE order_event ADD COLUMN hop tstzrange;

-- A claim's and an outcome's; microseconds since 1970, 0: unknown.  Clocks differ: an end before its
-- beginning is at it.
CREATE FUNCTION hop_of(from_us bigint, to_us bigint) RETURNS tstzrange LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN from_us > 0 THEN tstzrange(
        'epoch'::timestamptz + from_us * interval '1 microsecond',
        'epoch'::timestamptz + greatest(from_us, to_us) * interval '1 microsecond', '[]') END
$$;

CREATE FUNCTION hop_ms(begun timestamptz, ended timestamptz) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT round(greatest(extract(epoch FROM ended - begun), 0) * 1000, 3)
$$;

-- What the pause before an event was spent on, in ms: `outbox_ms`, `queue_ms` (from its publishing to the
-- worker that claims), `outside_ms` (calls), `work_ms` (the rest, commits included).  Together they are the
-- pause.  NULL: a wait, or not told.  `is_same`: the event before is of the same worker.
CREATE FUNCTION event_hops(kind text, before timestamptz, at timestamptz, hop tstzrange, is_same boolean)
    RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN before IS NULL OR hop IS NULL AND NOT is_same THEN NULL
        WHEN hop IS NULL THEN jsonb_build_object('work_ms', hop_ms(before, at))
        WHEN right(kind, 8) = '_started' THEN jsonb_build_object('outbox_ms', hop_ms(before, h.begun),
            'queue_ms', hop_ms(h.begun, h.ended), 'work_ms', hop_ms(h.ended, at))
        ELSE jsonb_build_object('outside_ms', hop_ms(h.begun, h.ended),
            'work_ms', hop_ms(before, h.begun) + hop_ms(h.ended, at)) END
    FROM (SELECT least(greatest(lower(hop), before), at) AS begun,
                 least(greatest(upper(hop), before), at) AS ended) AS h
$$;
