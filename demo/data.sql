-- data.sql: a bank's credit-card file of 50,000 rows, the same at every run.
--
-- The columns carry public field names of the FR Y-14M (schedule D.1,
-- domestic credit cards).  No row belongs to anybody: every value is drawn
-- from a hash of the row's number.  Some rows are spoiled on purpose; which
-- ones stands in answer_key.planted, which none of the cycle's people, and
-- not its workflow either, may read.  demo/README.md lists the defects.

CREATE SCHEMA bank;
COMMENT ON SCHEMA bank IS 'What the bank has: its credit-card file, its products, its source documents';
CREATE SCHEMA answer_key;
COMMENT ON SCHEMA answer_key IS 'Which rows were spoiled, and how; only the demonstration''s last check reads it';

-- A number in [0, 1) that depends on the row, the purpose and the seed 20260930.
CREATE FUNCTION answer_key.draw(row_no bigint, purpose int) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT ((hashint8extended(row_no, 20260930 * 1000::bigint + purpose) >> 12) & 4503599627370495)::double precision / 4503599627370496
$$;

CREATE TABLE bank.product (
	product_code text PRIMARY KEY,
	product_name text NOT NULL
);
INSERT INTO bank.product
SELECT 'P' || lpad(n::text, 2, '0'), name
FROM unnest(ARRAY['Classic', 'Gold', 'Platinum', 'World', 'Business', 'Business Plus', 'Airline', 'Hotel', 'Retail', 'Student', 'Secured', 'Cash Back'])
	WITH ORDINALITY AS p(name, n);

CREATE TABLE bank.cards (
	row_no bigint PRIMARY KEY,
	reference_number text NOT NULL,
	customer_id bigint NOT NULL,
	period_id text NOT NULL,
	line_of_business text NOT NULL,
	state text NOT NULL,
	zip_code text,
	product_code text NOT NULL,
	network_id text NOT NULL,
	account_origination_date date NOT NULL,
	last_payment_date date,
	cycle_end_date date NOT NULL,
	original_credit_limit numeric(12,2) NOT NULL,
	current_credit_limit numeric(12,2) NOT NULL,
	cycle_ending_balance numeric(12,2) NOT NULL,
	minimum_payment_due numeric(10,2) NOT NULL,
	purchase_apr numeric(7,3) NOT NULL,
	cash_apr numeric(7,3) NOT NULL,
	over_limit_flag text NOT NULL,
	days_past_due int NOT NULL,
	original_credit_score int NOT NULL,
	refreshed_credit_score int,
	borrower_income numeric(11,0),
	probability_of_default numeric(7,6) NOT NULL
);
COMMENT ON TABLE bank.cards IS 'Credit-card accounts as reported for September 2026, one row an account';
COMMENT ON COLUMN bank.cards.row_no IS 'Position in the file';
COMMENT ON COLUMN bank.cards.reference_number IS 'Reference Number: identifies the account, critical';
COMMENT ON COLUMN bank.cards.customer_id IS 'Customer ID';
COMMENT ON COLUMN bank.cards.period_id IS 'Period ID: month of the report, YYYYMM';
COMMENT ON COLUMN bank.cards.line_of_business IS 'Line of business that owns the account';
COMMENT ON COLUMN bank.cards.state IS 'State of the primary borrower, USPS code';
COMMENT ON COLUMN bank.cards.zip_code IS 'ZIP Code of the primary borrower';
COMMENT ON COLUMN bank.cards.product_code IS 'Product Type';
COMMENT ON COLUMN bank.cards.network_id IS 'Network ID: V, M, A or D';
COMMENT ON COLUMN bank.cards.account_origination_date IS 'Account Origination Date';
COMMENT ON COLUMN bank.cards.last_payment_date IS 'Date of the last payment, null when there was none';
COMMENT ON COLUMN bank.cards.cycle_end_date IS 'Account Cycle Date: end of the billing cycle';
COMMENT ON COLUMN bank.cards.original_credit_limit IS 'Original Credit Limit, USD';
COMMENT ON COLUMN bank.cards.current_credit_limit IS 'Current Credit Limit, USD, critical';
COMMENT ON COLUMN bank.cards.cycle_ending_balance IS 'Cycle Ending Balance, USD, critical';
COMMENT ON COLUMN bank.cards.minimum_payment_due IS 'Minimum Payment Due, USD';
COMMENT ON COLUMN bank.cards.purchase_apr IS 'Purchase APR, percent';
COMMENT ON COLUMN bank.cards.cash_apr IS 'Cash APR, percent';
COMMENT ON COLUMN bank.cards.over_limit_flag IS 'Y where the cycle ending balance is above the current credit limit';
COMMENT ON COLUMN bank.cards.days_past_due IS 'Days Past Due';
COMMENT ON COLUMN bank.cards.original_credit_score IS 'Original Credit Bureau Score';
COMMENT ON COLUMN bank.cards.refreshed_credit_score IS 'Refreshed Credit Bureau Score';
COMMENT ON COLUMN bank.cards.borrower_income IS 'Borrower''s Income at Origination, USD';
COMMENT ON COLUMN bank.cards.probability_of_default IS 'Probability of Default, 0 to 1';

INSERT INTO bank.cards
SELECT n,
	'CC' || lpad((4000000000 + n * 7)::text, 10, '0'),
	100000 + floor(answer_key.draw(n, 1) * 38000)::bigint,
	'202609',
	lob,
	(ARRAY['AL','AK','AZ','AR','CA','CO','CT','DE','FL','GA','HI','ID','IL','IN','IA','KS','KY','LA','ME','MD','MA','MI','MN','MS','MO',
		'MT','NE','NV','NH','NJ','NM','NY','NC','ND','OH','OK','OR','PA','RI','SC','SD','TN','TX','UT','VT','VA','WA','WV','WI','WY'])[1 + floor(answer_key.draw(n, 3) * 50)],
	lpad((10000 + floor(answer_key.draw(n, 4) * 89000))::text, 5, '0'),
	'P' || lpad((CASE lob WHEN 'SMALL_BUSINESS' THEN 5 + floor(answer_key.draw(n, 5) * 2)
		WHEN 'COBRAND' THEN 7 + floor(answer_key.draw(n, 5) * 3)
		WHEN 'PREMIER' THEN 2 + floor(answer_key.draw(n, 5) * 3)
		ELSE (ARRAY[1, 2, 10, 11, 12])[1 + floor(answer_key.draw(n, 5) * 5)] END)::text, 2, '0'),
	(ARRAY['V','V','V','M','M','A','D'])[1 + floor(answer_key.draw(n, 6) * 7)],
	opened,
	CASE WHEN answer_key.draw(n, 8) < 0.9 THEN '2026-08-31'::date - floor(answer_key.draw(n, 9) * 28)::int END,
	'2026-09-01'::date + floor(answer_key.draw(n, 10) * 30)::int,
	first_limit,
	credit_limit,
	balance,
	round(greatest(25, balance * 0.02), 2),
	apr,
	round(apr + 3 + floor(answer_key.draw(n, 16) * 3)::numeric, 3),
	CASE WHEN balance > credit_limit THEN 'Y' ELSE 'N' END,
	CASE WHEN answer_key.draw(n, 17) < 0.94 THEN 0 ELSE 1 + floor(answer_key.draw(n, 18) * 120) END::int,
	score,
	greatest(420, least(850, score - 40 + floor(answer_key.draw(n, 20) * 80)::int)),
	CASE WHEN answer_key.draw(n, 21) < 0.85 THEN round((24000 + answer_key.draw(n, 22) * 180000)::numeric, -2) END,
	round((0.002 + (850 - score) * 0.0004 + answer_key.draw(n, 23) * 0.01)::numeric, 6)
FROM generate_series(1, 50000) AS n
CROSS JOIN LATERAL (SELECT
	CASE WHEN answer_key.draw(n, 2) < 0.45 THEN 'CONSUMER' WHEN answer_key.draw(n, 2) < 0.70 THEN 'PREMIER'
		WHEN answer_key.draw(n, 2) < 0.90 THEN 'SMALL_BUSINESS' ELSE 'COBRAND' END AS lob,
	'2011-01-01'::date + floor(answer_key.draw(n, 7) * 5600)::int AS opened,
	round((1000 + floor(answer_key.draw(n, 11) * 49) * 500)::numeric, 2) AS first_limit,
	round((12.99 + floor(answer_key.draw(n, 15) * 170) / 10)::numeric, 3) AS apr,
	550 + floor(answer_key.draw(n, 19) * 290)::int AS score) AS a
CROSS JOIN LATERAL (SELECT first_limit + floor(answer_key.draw(n, 12) * 20)::numeric * 250 AS credit_limit) AS b
CROSS JOIN LATERAL (SELECT round((credit_limit * CASE WHEN answer_key.draw(n, 13) < 0.03 THEN 1.01 + answer_key.draw(n, 14) * 0.2
	ELSE answer_key.draw(n, 14) * 0.98 END)::numeric, 2) AS balance) AS c;

-- What the bank's source systems say of each account: statements and agreements.
CREATE TABLE bank.source_document (
	document_id text PRIMARY KEY,
	row_no bigint NOT NULL UNIQUE REFERENCES bank.cards,
	reference_number text NOT NULL,
	state text NOT NULL,
	account_origination_date date NOT NULL,
	original_credit_limit numeric(12,2) NOT NULL,
	current_credit_limit numeric(12,2) NOT NULL,
	cycle_ending_balance numeric(12,2) NOT NULL,
	purchase_apr numeric(7,3) NOT NULL,
	refreshed_credit_score int
);
COMMENT ON TABLE bank.source_document IS 'Account statements and agreements: the values that the report should have had';
INSERT INTO bank.source_document
SELECT 'STMT-' || lpad(row_no::text, 6, '0'), row_no, reference_number, state, account_origination_date,
	original_credit_limit, current_credit_limit, cycle_ending_balance, purchase_apr, refreshed_credit_score
FROM bank.cards;

-- The defects: each takes rows that no other has spoiled, chosen by hash.
CREATE TABLE answer_key.planted (
	row_no bigint PRIMARY KEY,
	defect text NOT NULL,
	attribute text NOT NULL
);
INSERT INTO answer_key.planted
SELECT row_no, defect, attribute
FROM (SELECT row_no, row_number() OVER (ORDER BY answer_key.draw(row_no, 100), row_no) AS r FROM bank.cards) AS shuffled
JOIN (SELECT defect, attribute, sum(rows) OVER (ORDER BY o) - rows AS above, sum(rows) OVER (ORDER BY o) AS upto
	FROM (VALUES
		(1, 'missing credit score', 'refreshed_credit_score', 150),
		(2, 'blank zip code', 'zip_code', 100),
		(3, 'apr out of range', 'purchase_apr', 100),
		(4, 'negative credit limit', 'current_credit_limit', 80),
		(5, 'invalid state code', 'state', 120),
		(6, 'duplicate reference number', 'reference_number', 120),
		(7, 'over limit without flag', 'over_limit_flag', 120),
		(8, 'payment before origination', 'account_origination_date', 100),
		(9, 'unknown product', 'product_code', 90),
		(10, 'malformed reference number', 'reference_number', 70),
		(11, 'balance differs from statement', 'cycle_ending_balance', 3000),
		(12, 'limit differs from agreement', 'current_credit_limit', 2500)) AS d(o, defect, attribute, rows)) AS d
	ON r > above AND r <= upto;

UPDATE bank.cards c SET refreshed_credit_score = NULL
FROM answer_key.planted p WHERE p.row_no = c.row_no AND defect = 'missing credit score';
UPDATE bank.cards c SET zip_code = ''
FROM answer_key.planted p WHERE p.row_no = c.row_no AND defect = 'blank zip code';
UPDATE bank.cards c SET purchase_apr = CASE WHEN c.row_no % 3 = 0 THEN -purchase_apr ELSE purchase_apr * 10 END
FROM answer_key.planted p WHERE p.row_no = c.row_no AND defect = 'apr out of range';
UPDATE bank.cards c SET current_credit_limit = -current_credit_limit, over_limit_flag = 'Y'
FROM answer_key.planted p WHERE p.row_no = c.row_no AND defect = 'negative credit limit';
UPDATE bank.cards c SET state = (ARRAY['XX', 'ZZ', 'U5', '99', 'QC'])[1 + c.row_no % 5]
FROM answer_key.planted p WHERE p.row_no = c.row_no AND defect = 'invalid state code';
-- the spoiled rows take, in pairs, each other's number
UPDATE bank.cards c SET reference_number = o.reference_number
FROM (SELECT a.row_no, b.reference_number
	FROM (SELECT row_no, row_number() OVER (ORDER BY row_no) AS r FROM answer_key.planted WHERE defect = 'duplicate reference number') a
	JOIN (SELECT p.row_no, c.reference_number, row_number() OVER (ORDER BY p.row_no) AS r
		FROM answer_key.planted p JOIN bank.cards c USING (row_no) WHERE defect = 'duplicate reference number') b
	ON b.r = a.r - 1 + a.r % 2 AND a.r % 2 = 0) AS o
WHERE o.row_no = c.row_no;
UPDATE bank.cards c SET cycle_ending_balance = round(current_credit_limit * 1.15, 2),
	minimum_payment_due = round(greatest(25, current_credit_limit * 1.15 * 0.02), 2), over_limit_flag = 'N'
FROM answer_key.planted p WHERE p.row_no = c.row_no AND defect = 'over limit without flag';
UPDATE bank.source_document d SET cycle_ending_balance = c.cycle_ending_balance
FROM bank.cards c JOIN answer_key.planted p USING (row_no) WHERE d.row_no = c.row_no AND defect = 'over limit without flag';
UPDATE bank.cards c SET account_origination_date = '2026-09-28'::date - (c.row_no % 5)::int, cycle_end_date = '2026-09-30',
	last_payment_date = '2026-08-15'
FROM answer_key.planted p WHERE p.row_no = c.row_no AND defect = 'payment before origination';
UPDATE bank.cards c SET product_code = 'P' || (90 + c.row_no % 3)
FROM answer_key.planted p WHERE p.row_no = c.row_no AND defect = 'unknown product';
UPDATE bank.cards c SET reference_number = lower(left(reference_number, 2)) || '-' || right(reference_number, 9)
FROM answer_key.planted p WHERE p.row_no = c.row_no AND defect = 'malformed reference number';
-- the document is right, the report is not
UPDATE bank.source_document d SET cycle_ending_balance = round(d.cycle_ending_balance * 1.1 + 10, 2)
FROM answer_key.planted p WHERE p.row_no = d.row_no AND defect = 'balance differs from statement';
UPDATE bank.source_document d SET current_credit_limit = d.current_credit_limit + 500
FROM answer_key.planted p WHERE p.row_no = d.row_no AND defect = 'limit differs from agreement';

ANALYZE bank.product, bank.cards, bank.source_document;
