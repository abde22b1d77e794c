#!/bin/sh
# Run by the postgres image once, when its volume is empty: makes the database and its roles.
#
# optix_owner runs the migrations, optix_identity is the service (sql/roles.sql). The superuser loses the password that
# the image gave it, so that it can be reached only from inside: docker compose exec postgres psql -U postgres optix
set -eu
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres <<SQL
\getenv password POSTGRES_PASSWORD
\getenv owner_password POSTGRES_OWNER_PASSWORD
create database optix;
\connect optix
\i $(dirname "$0")/sql/roles.sql
alter role optix_owner login password :'owner_password';
alter role optix_identity login password :'password';
revoke connect on database postgres from public;
alter role postgres password null;
SQL
