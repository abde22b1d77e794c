#!/bin/sh
# Writes a .env with random secrets for docker-compose.yml: sh deploy/new-secrets.sh [FILE]
#
# Needs no more than a POSIX shell and the usual tools. The API keys that callers need are shown once, on standard
# error; the file has their digests only. A file that exists is never touched: the database is unreadable without its
# encryption key.
set -eu
umask 077
file=${1:-$(dirname "$0")/../.env}

random_bytes() { dd if=/dev/urandom bs=32 count=1 2>/dev/null; }
random_hex() { random_bytes | od -An -v -tx1 | tr -d ' \n'; }
random_base64() { random_bytes | base64 | tr -d '\n'; }
digest() {
  if command -v sha256sum >/dev/null; then printf %s "$1" | sha256sum
  else printf %s "$1" | shasum -a 256
  fi | cut -c1-64
}
# What fails inside $(...) does not end the script by itself.
checked() {
  case $2 in
    *[!0-9A-Za-z+/=]*) ;;
    *) [ "${#2}" -eq "$1" ] && return 0 ;;
  esac
  echo "new-secrets: the random numbers could not be made: od, base64 and sha256sum (or shasum) are needed" >&2
  exit 1
}

if [ -e "$file" ]; then
  echo "new-secrets: $file exists and stays as it is" >&2
  exit 1
fi

postgres_password=$(random_hex)
postgres_owner_password=$(random_hex)
redis_password=$(random_hex)
encryption_key=$(random_base64)
identity_key=$(random_hex)
backend_key=$(random_hex)
operator_key=$(random_hex)
gateway_key=$(random_hex)
identity_digest=$(digest "$identity_key")
backend_digest=$(digest "$backend_key")
operator_digest=$(digest "$operator_key")
gateway_digest=$(digest "$gateway_key")
for hex in "$postgres_password" "$postgres_owner_password" "$redis_password" "$identity_key" "$backend_key" \
  "$operator_key" "$gateway_key" \
  "$identity_digest" "$backend_digest" "$operator_digest" "$gateway_digest"; do checked 64 "$hex"; done
checked 44 "$encryption_key"

# -C: also where another process has made the file in the meantime.
set -C
cat > "$file" <<END
# Secrets of this deployment. Keep a copy of IDENTITY_ENCRYPTION_KEY apart from the database's backups.
# Every other setting: .env.example.
POSTGRES_PASSWORD=$postgres_password
POSTGRES_OWNER_PASSWORD=$postgres_owner_password
REDIS_PASSWORD=$redis_password
IDENTITY_ENCRYPTION_KEY=$encryption_key

# Who may call identity: name=<sha-256 of the API key>, between commas. The operator (;*) may use every RPC;
# without scopes a caller may do what a backend needs.
IDENTITY_CALLER_KEYS='backend=$backend_digest,operator=$operator_digest;*'

# The key that identity calls ratelimit with, and who may call ratelimit.
RATELIMIT_API_KEY=$identity_key
RATELIMIT_CALLER_KEYS='identity=$identity_digest,gateway=$gateway_digest,operator=$operator_digest;*'
END

cat >&2 <<END
Wrote $file. API keys, shown this once (Authorization: Bearer <key>):
  a backend that calls identity    $backend_key
  a gateway that calls ratelimit   $gateway_key
  an operator, every RPC of both   $operator_key
END
