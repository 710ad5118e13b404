-- serves-from: 1
-- The customer would rather pay otherwise than do what the provider asks of him: the attempt is canceled
-- there by the worker that takes it up.  (Workers that are older wait until his time is over.)
ALTER TABLE payment_attempt ADD COLUMN given_up boolean NOT NULL DEFAULT false;
