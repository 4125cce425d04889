# PostgreSQL on a pool, killed with the machine again and again: after each kill it recovers, every index agrees with its table, pgbench's
# sums are even, and each transaction it had acknowledged is there. By name: it takes minutes.
# disks: 2x512M 1x64M
# boots: 4
# cpus: 2
# memory: 1536
# kernels: none
# timeout: 600
# unpack: postgresql-15 postgresql-client-15 libpq5
# packages: libxml2 libxslt1.1 libicu72 libldap-2.5-0 libgssapi-krb5-2
# programs: setpriv mkfs.ext4
# modules: ext4
# files: qemu/guest/postgres.sh
# environment: SECONDS_OF_LOAD=20 SCALE=2
. /files/postgres.sh
D=/mnt/postgres
W=/witness
mkdir -p $W
modprobe ext4 2>/dev/null

all_even() {
	for table in pgbench_accounts:abalance pgbench_branches:bbalance pgbench_tellers:tbalance; do
		same "$(ask "SELECT coalesce(sum(${table#*:}), 0) FROM ${table%:*}")" \
			"$(ask 'SELECT coalesce(sum(delta), 0) FROM pgbench_history')" "the sum over ${table%:*}"
	done
	as_postgres $B/pg_amcheck --heapallindexed --parent-check bench >/tmp/amcheck 2>&1 || { cat /tmp/amcheck; fail pg_amcheck; }
}
# One row a transaction, each counted on the other disk once it is acknowledged.
insert() {
	n=$(ask 'SELECT coalesce(max(n), 0) FROM told')
	seq $((n + 1)) 1000000 | sed 's/.*/INSERT INTO told VALUES(&, repeat(md5(&::text), 20)) RETURNING n;/' |
		as_postgres $B/psql -X -q -A -t -v ON_ERROR_STOP=1 | while read -r n; do
			echo $n >$W/new && sync $W/new && mv $W/new $W/told && sync -f $W
		done
	fail "psql ended"
}

if [ "$STAGE" = 1 ]; then
	must make_pool
	must mount_pool /mnt ${MOUNT_OPTIONS:-}
	mkfs.ext4 -q -F /dev/vdc && mount -t ext4 /dev/vdc $W || skip "no ext4 for the witness"
	say "initdb ($(uptime_s) s)"
	make_cluster $D
	say "start ($(uptime_s) s)"
	start_server $D
	ask 'CREATE TABLE told(n bigint PRIMARY KEY, text text); CREATE EXTENSION amcheck;'
	as_postgres $B/pgbench -q -i -s $SCALE >/tmp/bench.out 2>&1 || { cat /tmp/bench.out; fail "pgbench -i"; }
	all_even
	echo 0 >$W/told
	sync
else
	must mount_pool /mnt ${MOUNT_OPTIONS:-}
	must mount -t ext4 /dev/vdc $W
	told=$(cat $W/told)
	start_server $D
	grep -h 'redo done\|redo starts' /tmp/postgres.log
	rows=$(ask 'SELECT count(*) FROM told')
	same "$(ask 'SELECT coalesce(max(n), 0) FROM told')" "$rows" "rows up to the last"
	[ "$rows" -ge "$told" ] || fail "$told transactions were acknowledged, $rows are there"
	same "$(ask 'SELECT count(*) FROM told WHERE text <> repeat(md5(n::text), 20)')" 0 "rows with another text"
	all_even
	bench=$(ask 'SELECT count(*) FROM pgbench_history')
	say "after kill $((STAGE - 1)): $told acknowledged, $rows there, $bench of pgbench's ($(uptime_s) s)"
fi
if [ "$STAGE" != "$STAGES" ]; then
	as_postgres $B/pgbench -n -c 4 -j 2 -T 1000 -P 10 >/tmp/bench.out 2>&1 &
	insert &
	sleep $SECONDS_OF_LOAD
	say "$(cat $W/told) acknowledged, $(ask 'SELECT count(*) FROM pgbench_history') of pgbench's: killed ($(uptime_s) s)"
	kill_machine
fi
stop_server
as_postgres $B/pg_checksums -D $D --check >/tmp/checksums || { cat /tmp/checksums; fail pg_checksums; }
must umount /mnt
must check_pool
must mount_pool /mnt
as_postgres $B/pg_checksums -D $D --check >/tmp/checksums || { cat /tmp/checksums; fail "pg_checksums after a mount"; }
must umount /mnt
