#!/bin/sh
# Run by the PostgreSQL container when it makes its data: the owner of the tables, and the portal's own role.
set -eu

psql --set=ON_ERROR_STOP=1 --set=owner="$(cat /run/secrets/owner_password)" --set=app="$(cat /run/secrets/app_password)" \
    --username "$POSTGRES_USER" --dbname gatehouse <<'SQL'
CREATE ROLE gatehouse_owner LOGIN PASSWORD :'owner';
CREATE ROLE gatehouse_app LOGIN PASSWORD :'app';
ALTER DATABASE gatehouse OWNER TO gatehouse_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE gatehouse_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO gatehouse_app;
ALTER DEFAULT PRIVILEGES FOR ROLE gatehouse_owner GRANT USAGE, SELECT ON SEQUENCES TO gatehouse_app;
SQL
