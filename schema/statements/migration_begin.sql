-- One migration, one transaction.
BEGIN
