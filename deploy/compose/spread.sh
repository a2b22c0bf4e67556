#!/bin/bash
# Adds two workers to a Citus coordinator and spreads the collector's tables. Can be run again.
set -euo pipefail
PGPASSWORD=$(cat /secrets/collector.password)
export PGPASSWORD PGSSLMODE=verify-full PGSSLROOTCERT=/secrets/ca.pem
run() { psql --set ON_ERROR_STOP=1 --host "$1" --username phonehome --dbname phonehome "${@:2}"; }
for node in coordinator worker-1 worker-2; do
  run "$node" --command 'CREATE EXTENSION IF NOT EXISTS citus'
  # How the machines speak to each other.
  run "$node" --command "ALTER SYSTEM SET citus.node_conninfo = 'sslmode=verify-full sslrootcert=/secrets/ca.pem'"
  run "$node" --command 'SELECT pg_reload_conf()'
  run "$node" --set "password=$PGPASSWORD" <<'SQL'
DELETE FROM pg_dist_authinfo;
INSERT INTO pg_dist_authinfo VALUES (0, 'phonehome', 'password=' || :'password');
SQL
done
run coordinator --command "SELECT citus_set_coordinator_host('coordinator')"
for worker in worker-1 worker-2; do
  run coordinator --command "SELECT citus_add_node('$worker', 5432)"
done
spread=$(run coordinator --tuples-only --no-align --command \
  "SELECT count(*) FROM pg_dist_partition WHERE logicalrelid = 'journal'::regclass")
[ "$spread" = 1 ] || run coordinator --file /citus.sql
