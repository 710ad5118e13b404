-- What replaying one page of the dead letters that a filter allows would do, as the books stand: how
-- many of each, which money; letter by letter, if that is asked for; and what is held back now.
--   $1 filter   $2 cursor, or NULL   $3 letters looked at, at most   $4 rows   $5 letter by letter?
WITH page AS MATERIALIZED (
    SELECT id, is_match, searched, next
    FROM dead_page($1::text::jsonb, $2::text, $3::int4, $4::int4)
), letter AS MATERIALIZED (
    SELECT p.id, d.order_id, d.stage, d.amount, d.currency,
           replay_plan(d.order_id, d.stage, d.state) AS plan
    FROM page p CROSS JOIN LATERAL (
        SELECT order_id, stage, state, amount, currency FROM dead_letter WHERE id = p.id LIMIT 1
    ) AS d
    WHERE p.is_match
)
SELECT jsonb_build_object(
    'plans', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                         'plan', plan, 'count', letters, 'amount', amount, 'currency', currency)
                         ORDER BY plan, currency), '[]')
              FROM (SELECT plan, currency, count(*) AS letters, sum(amount) AS amount
                    FROM letter GROUP BY plan, currency) AS f),
    'letters', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                           'id', id, 'order', order_id, 'stage', stage, 'amount', amount,
                           'currency', currency, 'plan', plan) ORDER BY id), '[]')
                FROM letter WHERE $5::bool),
    'held_back', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                             'name', b.name, 'stage', b.stage, 'since', b.since, 'why', b.why)
                             ORDER BY b.name), '[]')
                  FROM breaker b
                  WHERE (b.held OR b.state <> 1) AND b.stage IN (SELECT stage FROM letter)),
    'outcome_ms', (SELECT replay_outcome_ms(id) FROM replay_run WHERE succeeded > 0
                   ORDER BY id DESC LIMIT 1),
    'count', (SELECT count(*) FROM letter),
    'searched', (SELECT coalesce(max(searched), 0) FROM page),
    'next', (SELECT max(next) FROM page))::text
