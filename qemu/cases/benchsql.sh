# The comparison bench's line pgbench: PostgreSQL on each filesystem, device and clock as in the case `bench`. A case of its own for
# the packages that have to be in the guest. `make bench` runs it.
# disks: none
# clock: instructions
# memory: 5120
# modules: null_blk xfs btrfs
# programs: mkfs.xfs mkfs.btrfs setpriv
# packages: xfsprogs btrfs-progs libxml2 libxslt1.1 libicu72 libldap-2.5-0 libgssapi-krb5-2
# unpack: postgresql-15 postgresql-client-15 libpq5
# files: build/test/load qemu/guest/bench.sh qemu/guest/benchdevice.sh qemu/guest/postgres.sh
# kernels: none
# timeout: 3600
# environment: CACHE=0 FILESYSTEMS=lcpfs,ext4,xfs,btrfs WORKS=pgbench SECONDS_EACH=2 SCALE=2 CLIENTS=4 GB=3
. /files/postgres.sh
. /files/bench.sh
. /files/benchdevice.sh
# What pgbench says: transactions a second by CLIENTS at once, of which each ends with the write-ahead log on the device.
database() {
	make_cluster /mnt/postgres --no-sync
	start_server
	as_postgres $B/pgbench -q -i -s $SCALE >/tmp/said 2>&1 || fail "pgbench -i: $(cat /tmp/said)"
	ask CHECKPOINT
	as_postgres $B/pgbench -n -c $CLIENTS -T $SECONDS_EACH >/tmp/said 2>&1 || fail "pgbench: $(cat /tmp/said)"
	stop_server
	sed -n "s/^tps = \([0-9.]*\) .*/@bench $fs $CACHE pgbench \1 transactions\/s -/p" /tmp/said
}
all_works
