-- For Citus, once, after the first collector has made its tables and before homes report: spreads the
-- tables of homes over the cluster and copies the small ones to every machine. Plain PostgreSQL and
-- YugabyteDB do not need it. A week's partition that is made later is spread by itself.
--
-- psql "$DATABASE" -f citus.sql

CREATE EXTENSION IF NOT EXISTS citus;

SELECT create_reference_table('schema_steps');
SELECT create_reference_table('turns');
SELECT create_reference_table('collector');
SELECT create_reference_table('invites');
SELECT create_reference_table('places');
SELECT create_reference_table('withdrawals');
SELECT create_reference_table('weeks');
SELECT create_reference_table('folds');
SELECT create_reference_table('releases');
SELECT create_reference_table('ledger');

-- Homes and their keys lie together; the journal knows homes by other names, which change every week.
SELECT create_distributed_table('homes', 'home');
SELECT create_distributed_table('keys', 'home', colocate_with => 'homes');
SELECT create_distributed_table('journal', 'home_token', colocate_with => 'none');
