# Sourced by the scripts beside it: where things are, and how to act as the server's user.
set -euo pipefail
umask 022

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
server=$top/.server
PG_CONFIG=$("$top/scripts/find-pg-config")
export PG_CONFIG

# A root shell may not run PostgreSQL itself.
if [ "$(id -u)" = 0 ]; then
	server_user=${VOUCH_SERVER_USER:-postgres}
	as_server() { (cd / && exec runuser -u "$server_user" -- "$@"); }
else
	server_user=$(id -un)
	as_server() { (cd / && exec "$@"); }
fi

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# The mirrored installation keeps the absolute paths of the real one below this directory.
mirror_root() { printf '%s/root' "$(cd "$server" && pwd -P)"; }
mirror_bin() { printf '%s%s' "$(mirror_root)" "$("$PG_CONFIG" --bindir)"; }

# Points libpq at the private server, whatever the caller's environment says.
use_private_server() {
	unset PGDATABASE PGHOSTADDR PGSERVICE PGSERVICEFILE PGOPTIONS PGSSLMODE PGPASSFILE PGCLIENTENCODING
	[ -e "$server/socket-dir" ] || die "there is no private server yet: run 'make server-start'"
	PGHOST=$(cat "$server/socket-dir")
	export PGHOST PGPORT=5432 PGUSER=postgres
	PATH=$(mirror_bin):$PATH
}
