#!/bin/bash
# Run once by the image, when a server's folder is new: who may come in, and only by TLS.
set -euo pipefail
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set "password=$(cat /secrets/replication.password)" <<'SQL'
CREATE ROLE replication LOGIN REPLICATION PASSWORD :'password';
SQL
cat >"$PGDATA/pg_hba.conf" <<'HBA'
local     all          all                  trust
hostssl   all          all          all     scram-sha-256
hostssl   replication  replication  all     scram-sha-256
HBA
