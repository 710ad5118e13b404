-- serves-from: 1
-- Each topic is read from a floor of its own, so that one whose queue is full enough holds up no other.
CREATE INDEX outbox_topic ON outbox (topic, id);
