#!/bin/bash
# Starts a database server of the compose files, in the image of PostgreSQL or of Citus:
#   database.sh NAME primary             takes writes; a commit waits for the standby
#   database.sh NAME standby PRIMARY     follows PRIMARY, from a copy it makes the first time
#   database.sh NAME alone               waits for nobody
# NAME is its own, as its certificate has it.
set -euo pipefail
name=$1 role=$2 source=${3:-}
home=/var/lib/postgresql

# The server wants its key for itself.
install -o postgres -g postgres -m 600 "/secrets/$name.key" "$home/server.key"
install -o postgres -g postgres -m 644 "/secrets/$name.pem" "$home/server.pem"
install -o postgres -g postgres -m 600 /secrets/replication.password "$home/replication.password"

settings=(-c ssl=on -c "ssl_key_file=$home/server.key" -c "ssl_cert_file=$home/server.pem"
  -c password_encryption=scram-sha-256 -c log_min_duration_statement=-1 -c log_statement=none
  -c log_parameter_max_length_on_error=0 -c wal_keep_size=1GB)

case $role in
primary)
  # Named, so that a commit is on both before anybody is told. Without a standby commits wait.
  settings+=(-c "synchronous_standby_names=standby" -c synchronous_commit=on)
  ;;
standby)
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    chown postgres: "$PGDATA"
    chmod 700 "$PGDATA"
    # The password stands in a file of its own, not on a command line.
    printf '%s:5432:*:replication:%s\n' "$source" "$(cat "$home/replication.password")" >"$home/.pgpass"
    chown postgres: "$home/.pgpass"
    chmod 600 "$home/.pgpass"
    until gosu postgres env PGPASSFILE="$home/.pgpass" pg_basebackup --pgdata "$PGDATA" \
      --write-recovery-conf --checkpoint=fast --no-password --dbname \
      "host=$source user=replication application_name=standby sslmode=verify-full sslrootcert=/secrets/ca.pem"; do
      rm -rf "${PGDATA:?}"/*
      sleep 2
    done
  fi
  ;;
esac
exec docker-entrypoint.sh postgres "${settings[@]}"
