# SPDX-License-Identifier: GPL-2.0-only
#
# Words of the cases that run PostgreSQL, unpacked from its packages: no user, no library and no shared memory is there for it yet.
B=/usr/lib/postgresql/15/bin
export TZ=UTC PGHOST=/tmp PGUSER=postgres PGDATABASE=bench PGOPTIONS= LC_ALL=C
as_postgres() { (cd /tmp && setpriv --reuid=70 --regid=70 --clear-groups "$@"); }

mkdir -p /dev/shm
must mount -t tmpfs shm /dev/shm
chmod 1777 /dev/shm /tmp
echo 'root:x:0:0::/:/bin/sh
postgres:x:70:70::/tmp:/bin/sh' >/etc/passwd
ip link set lo up 2>/dev/null

# make_cluster DIRECTORY [INITDB-OPTION...]: a cluster of databases there; what follows is about it.
make_cluster() {
	cluster=$1
	shift
	mkdir -m 700 $cluster && chown 70:70 $cluster
	as_postgres $B/initdb -D $cluster -E UTF8 --locale=C -A trust --data-checksums "$@" >/tmp/initdb.out 2>&1 ||
		{ cat /tmp/initdb.out; fail initdb; }
	printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '/tmp'" 'shared_buffers = 16MB' 'checkpoint_timeout = 30s' \
		'max_wal_size = 64MB' 'jit = off' >>$cluster/postgresql.conf
}
# start_server [DIRECTORY]; the database is made where it is not there.
start_server() {
	cluster=${1:-$cluster}
	as_postgres $B/pg_ctl -D $cluster -w -t 300 -l /tmp/postgres.log start >/tmp/pg_ctl.out 2>&1 ||
		{ cat /tmp/pg_ctl.out /tmp/postgres.log; fail "pg_ctl start"; }
	as_postgres $B/psql -X -q -d bench -c '' 2>/dev/null || as_postgres $B/createdb bench || fail createdb
}
stop_server() { as_postgres $B/pg_ctl -D $cluster -w -m fast stop >/dev/null || fail "pg_ctl stop"; }
# ask SQL: its answer.
ask() { as_postgres $B/psql -X -q -A -t -v ON_ERROR_STOP=1 -c "$1" || fail "psql: $1"; }
