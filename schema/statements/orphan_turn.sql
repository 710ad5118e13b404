-- Takes the comparison of the books, if it is due and nobody is at it.
--   $1 process   $2 stage   $3 so many hours back   $4 what is younger than this is left, in s
-- Whoever is at it has to be alive, and to go on within a minute.
-- This may have waited for the very transaction that pauses (worker_pause.sql) and not see its pause: then
-- it is no comparison since that pause, says so (while_paused), and another follows (orphan_end.sql).
-- One row back, or none: its fence, from and to when (seconds since 1970).  While the stage's queue is
-- paused nothing is on its way, so nothing is too young; and no task will show that a provider which
-- was away is back, so it is asked.  One that an operator holds back is not.
UPDATE orphan_sweep s
SET fence = s.fence + 1, holder = $1::text, until = now() + interval '60 seconds', begun_at = now(),
    while_paused = EXISTS (
        SELECT FROM breaker b WHERE b.stage = $2::int2 AND b.is_queue AND b.held)
WHERE s.due_at <= now()
  AND (s.until < now() OR NOT EXISTS (
           SELECT FROM worker w WHERE w.process = s.holder AND NOT worker_gone(w.id)))
  AND NOT EXISTS (
      SELECT FROM breaker b
      WHERE b.stage = $2::int2 AND NOT b.is_queue
        AND (b.held OR b.state <> 1 AND NOT EXISTS (
                 SELECT FROM breaker q WHERE q.stage = $2::int2 AND q.is_queue AND q.held)))
RETURNING s.fence,
          (extract(epoch FROM now()) - $3::int8 * 3600)::int8 AS from_s,
          (extract(epoch FROM now()) - CASE WHEN s.while_paused THEN 0 ELSE $4::int8 END)::int8 AS to_s
