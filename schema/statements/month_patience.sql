-- Whoever waits for a lock lets others wait behind it: rather later again.
SET lock_timeout = '200ms'
