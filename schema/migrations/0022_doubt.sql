-- serves-from: 1
-- The last so many of a task's attempts failed while nothing else was called that could have told
-- whose failure it was.  They count as long as nobody knows better, and are taken back when the
-- task's provider or carrier is found away: an outage burns no attempt, also where few orders come.
ALTER TABLE task ADD COLUMN doubted integer NOT NULL DEFAULT 0;
