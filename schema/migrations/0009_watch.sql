-- serves-from: 1
-- Payments whose outcome is unknown, oldest first: the relay watches how many there are, and since
-- when.  No update pays for it that does not already pay for payment_attempt_one_open.
CREATE INDEX payment_attempt_unknown ON payment_attempt (sent_at) WHERE state = 6;

GRANT SELECT ON payment_attempt TO docket_relay;
