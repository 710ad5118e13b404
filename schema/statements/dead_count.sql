-- What discarding one page of the dead letters that a filter allows would do: how many, and which money.
--   $1 filter   $2 cursor, or NULL   $3 letters looked at, at most   $4 rows
WITH page AS MATERIALIZED (
    SELECT id, is_match, searched, next
    FROM dead_page($1::text::jsonb, $2::text, $3::int4, $4::int4)
), letter AS MATERIALIZED (
    SELECT d.amount, d.currency, dead_fate(d.order_id, d.stage, d.state) AS fate
    FROM page p CROSS JOIN LATERAL (
        SELECT order_id, stage, state, amount, currency FROM dead_letter WHERE id = p.id LIMIT 1
    ) AS d
    WHERE p.is_match
)
SELECT jsonb_build_object(
    'fates', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                         'fate', fate, 'count', letters, 'amount', amount, 'currency', currency)
                         ORDER BY fate, currency), '[]')
              FROM (SELECT fate, currency, count(*) AS letters, sum(amount) AS amount
                    FROM letter GROUP BY fate, currency) AS f),
    'count', (SELECT count(*) FROM letter),
    'searched', (SELECT coalesce(max(searched), 0) FROM page),
    'next', (SELECT max(next) FROM page))::text
