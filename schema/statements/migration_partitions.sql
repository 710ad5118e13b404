-- A year of partitions ahead; the relay keeps them so.
SELECT make_partitions(13)
