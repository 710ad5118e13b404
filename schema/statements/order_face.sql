-- What a read needs of an order beside its body: whose it is, and which version is the newest.
--   $1 order ids  $2, $3 least and greatest of them: only their months' partitions are opened
-- One row back for each order that there is, however often its id was given, in no order.
-- of one month: also on the own tables of the month that all of the batch is of (schema/month.h).
SELECT o.id, o.account_id, o.version, o.status, o.final, o.token_key, o.accepted_at
FROM orders o
WHERE o.id = ANY ($1::uuid[]) AND o.id BETWEEN $2::uuid AND $3::uuid
