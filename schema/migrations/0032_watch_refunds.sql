-- serves-from: 1
-- Since when the outcome of a refund is unknown, also while it is sent again; NULL: it is not.
ALTER TABLE refund ADD COLUMN unknown_since timestamptz;
UPDATE refund SET unknown_since = sent_at WHERE state = 4;

-- How many there are, and since when: no scan.
CREATE INDEX refund_unknown_since ON refund (unknown_since) WHERE state = 4;
GRANT SELECT ON refund TO docket_relay;
