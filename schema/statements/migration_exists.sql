-- Was anything ever applied?
SELECT to_regclass('public.migration') IS NOT NULL
