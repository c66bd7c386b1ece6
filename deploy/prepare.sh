#!/bin/sh
# Makes deploy/.env from env.sample with passwords of its own, and the installation's key. Leaves alone what is there.
set -eu
umask 077
cd "$(dirname "$0")"

random() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

if [ ! -f .env ]; then
  # Kafka's cluster id is 16 bytes in URL-safe base64 without the padding: 22 characters.
  cluster=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n' | cut -c1-21)A
  sed -e "s/^POSTGRES_PASSWORD=$/&$(random 16)/" -e "s/^ELASTIC_PASSWORD=$/&$(random 16)/" \
      -e "s/^S3_PASSWORD=$/&$(random 16)/" -e "s/^KAFKA_CLUSTER_ID=$/&$cluster/" env.sample >.env
  echo "Made deploy/.env: set ASCOLTO_PUBLIC_URL and ASCOLTO_SMTP_OUT there."
fi

mkdir -p secrets
if [ ! -f secrets/ascolto_key ]; then
  head -c 32 /dev/urandom >secrets/ascolto_key.new
  chmod 444 secrets/ascolto_key.new # read by the containers' user; the folder is closed to everybody else
  mv secrets/ascolto_key.new secrets/ascolto_key
  echo "Made deploy/secrets/ascolto_key: keep a copy where the backups are; without it no secret can be read again."
fi
