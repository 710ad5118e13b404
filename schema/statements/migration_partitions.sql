-- Partitions three months ahead; the relay keeps them so.
SELECT make_partitions(3)
