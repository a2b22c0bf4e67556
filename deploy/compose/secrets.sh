#!/bin/sh
# Makes what the compose files need and nobody else may see, in the folder `secrets` beside this file:
# passwords, and an authority of their own that certifies the database servers. Makes nothing anew.
# Needs openssl.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
cd secrets

password() {
  [ -e "$1" ] || openssl rand -hex 24 >"$1"
}
password collector.password
password replication.password

if [ ! -e ca.pem ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -subj '/CN=phonehome databases' -keyout ca.key -out ca.pem 2>/dev/null
fi
for name in database-1 database-2 coordinator worker-1 worker-2; do
  [ -e "$name.pem" ] && continue
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
    -keyout "$name.key" -out "$name.csr" 2>/dev/null
  printf 'subjectAltName=DNS:%s\n' "$name" >"$name.ext"
  openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 \
    -extfile "$name.ext" -out "$name.pem" 2>/dev/null
  rm "$name.csr" "$name.ext"
done
# The containers' users are not this one. Whoever can enter this folder can read it; see to that.
chmod 644 ca.pem ./*.password ./database-?.??? ./coordinator.??? ./worker-?.???
