#!/bin/sh
# Run by the postgres image once, when its volume is empty: makes identity's role and its database.
#
# Identity owns its database and nothing else. The superuser loses the password that the image gave it, so that it can
# be reached only from inside: docker compose exec postgres psql -U postgres optix
set -eu
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres <<'SQL'
\getenv password POSTGRES_PASSWORD
create role optix login password :'password';
create database optix owner optix;
revoke all on database optix from public;
revoke connect on database postgres from public;
alter role postgres password null;
SQL
