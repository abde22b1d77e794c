#!/bin/sh
# Prints the Secrets of a deployment, for kubectl apply: sh deploy/kubernetes/secrets.sh FILE DATABASE REDIS
#
# FILE is one that deploy/new-secrets.sh has written; DATABASE and REDIS are `host:port`. Both are spoken to over TLS and
# verified. What is to follow the database's name in the URLs, a file of authorities for instance, is in
# DATABASE_PARAMETERS; REDIS_SCHEME=redis speaks to Redis in cleartext.
set -eu
if [ $# -ne 3 ]; then
  echo "usage: sh deploy/kubernetes/secrets.sh FILE DATABASE REDIS" >&2
  exit 2
fi
database=$2
redis=$3
parameters=${DATABASE_PARAMETERS-?sslmode=verify-full}
redis_scheme=${REDIS_SCHEME-rediss}
case $database$redis in
  *[!0-9A-Za-z.:_-]*) echo "secrets: DATABASE and REDIS must be host:port" >&2; exit 2 ;;
esac

# The file alone decides, not what the environment happens to hold.
unset POSTGRES_PASSWORD POSTGRES_OWNER_PASSWORD REDIS_PASSWORD IDENTITY_ENCRYPTION_KEY IDENTITY_CALLER_KEYS \
  RATELIMIT_API_KEY RATELIMIT_CALLER_KEYS MAIL_URL
case $1 in
  */*) . "$1" ;;
  *) . "./$1" ;;
esac
for name in POSTGRES_PASSWORD POSTGRES_OWNER_PASSWORD REDIS_PASSWORD IDENTITY_ENCRYPTION_KEY IDENTITY_CALLER_KEYS \
  RATELIMIT_API_KEY RATELIMIT_CALLER_KEYS; do
  eval "value=\${$name-}"
  if [ -z "$value" ]; then
    echo "secrets: $name is missing in $1" >&2
    exit 1
  fi
done

# YAML's single quotes: what is between them is taken as it is, but for a quote, which is written twice.
entry() { printf "  %s: '%s'\n" "$1" "$(printf %s "$2" | sed "s/'/''/g")"; }
secret() {
  printf 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  labels: { app.kubernetes.io/part-of: optix }\n' "$1"
  printf 'type: Opaque\nstringData:\n'
}

redis_url=$redis_scheme://:$REDIS_PASSWORD@$redis/0
secret identity
entry DATABASE_URL "postgresql://optix_identity:$POSTGRES_PASSWORD@$database/optix$parameters"
entry REDIS_URL "$redis_url"
entry IDENTITY_ENCRYPTION_KEY "$IDENTITY_ENCRYPTION_KEY"
entry IDENTITY_CALLER_KEYS "$IDENTITY_CALLER_KEYS"
entry RATELIMIT_API_KEY "$RATELIMIT_API_KEY"
if [ -n "${MAIL_URL-}" ]; then entry MAIL_URL "$MAIL_URL"; fi
echo ---
secret ratelimit
entry REDIS_URL "$redis_url"
entry RATELIMIT_CALLER_KEYS "$RATELIMIT_CALLER_KEYS"
echo ---
secret migrate
entry DATABASE_URL "postgresql://optix_owner:$POSTGRES_OWNER_PASSWORD@$database/optix$parameters"
