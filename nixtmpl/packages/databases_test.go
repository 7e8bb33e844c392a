package packages

import "testing"

// The servers run, know time zones, and take no compiler along.
func TestContract_Databases(t *testing.T) {
	hello(t, Need{Roots: []string{"postgresql", "valkey"}}, `
	pkgs.runCommand "databases-hello" { } ''
	  export PATH=${pkgs.postgresql_17}/bin:${pkgs.valkey}/bin:$PATH HOME=$TMPDIR
	  initdb -D $TMPDIR/db --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C --encoding=UTF8 --auth=trust --username=postgres > log || { cat log; exit 1; }
	  pg_ctl -D $TMPDIR/db -w -l log -o "-c listen_addresses= -c unix_socket_directories=$TMPDIR" start || { cat log; exit 1; }
	  [ "$(psql -h $TMPDIR -U postgres -Atc "set timezone = 'Europe/Vienna'; select '2026-07-01 12:00+00'::timestamptz::time")" = "$(printf 'SET\n14:00:00')" ]
	  psql -h $TMPDIR -U postgres -Atc 'create extension pg_trgm; create extension citext; select version()' | grep 'PostgreSQL ${pkgs.postgresql_17.version}'
	  pg_dump -h $TMPDIR -U postgres -Fc postgres > dump; pg_restore -l dump > list
	  pg_ctl -D $TMPDIR/db -m fast stop
	  valkey-server --port 0 --unixsocket $TMPDIR/valkey --daemonize no --save "" > log & server=$!
	  until valkey-cli -s $TMPDIR/valkey ping | grep PONG; do kill -0 $server; done
	  [ "$(valkey-cli -s $TMPDIR/valkey incr n)" = 1 ]; kill $server
	  echo ${pkgs.postgresql_17} ${pkgs.valkey} > $out
	''`)
}
