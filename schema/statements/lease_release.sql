-- Gives the relay's lease back: another may take it at once.
--   $1 holder
UPDATE relay_lease SET until = '-infinity' WHERE holder = $1::uuid
