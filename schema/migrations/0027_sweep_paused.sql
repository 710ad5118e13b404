-- serves-from: 1
-- Did the comparison of the books that was begun last see its stage's pause?  Only then does it say that
-- nothing was on its way, and that the payments may go on after a restore.
ALTER TABLE orphan_sweep ADD COLUMN while_paused boolean NOT NULL DEFAULT false;
