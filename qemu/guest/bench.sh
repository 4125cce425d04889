# SPDX-License-Identifier: GPL-2.0-only
#
# The works of the comparison bench, for the cases whose name begins so; userspace/bench/load does them. Each line of a result:
#     @bench FILESYSTEM CACHE NAME FIGURE UNIT INSTRUCTIONS
for module in xfs btrfs ext4; do modprobe $module 2>/dev/null; done
echo 4 >/proc/sys/kernel/printk

# Every filesystem begins settled. ext4's tables of inodes would be cleared by a thread after the mount, beginning at a random moment within
# five seconds: now and then in the half second that is measured, which made its figures differ by a tenth from run to run.
make_filesystem() {
	case $fs in
	ext4) must mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 $DEVICE ;;
	*) must mkfs.$fs -q -f $DEVICE ;;
	esac >/dev/null 2>&1
}
# What its mount helper does is not what is measured.
on() { must mount -i -t $fs $DEVICE /mnt; }
# load WORK...: its lines, with the filesystem and the kind of device in them.
load() { /files/load "$@" >/tmp/said || fail "$fs: load $*: $(cat /tmp/said)"; sed "s/^@/@bench $fs $CACHE/" /tmp/said; }

tree() {
	[ -d /tmp/payload ] || { must mkdir /tmp/payload; must cp /dev/payload /tmp/payload/tar; }
	files=$(tar -tf /tmp/payload/tar | grep -c '[^/]$')
	load program unpack files/s $files /mnt tar -xf /tmp/payload/tar -C /mnt
	load program copy files/s $files /mnt cp -r /mnt/src /mnt/copy
	sync
	echo 3 >/proc/sys/vm/drop_caches
	load program grep files/s $files /mnt sh -c 'grep -r no-such-text /mnt/src; [ $? = 1 ]'
	load program remove files/s $files /mnt rm -r /mnt/copy
}
sql() {
	{
		echo "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, value INTEGER);"
		seq 1 500 | sed 's/.*/INSERT INTO t (name, value) VALUES ("name of &", &);/'
	} >/tmp/sql
	load program sqlite inserts/s 500 /mnt sqlite3 -init /tmp/sql /mnt/data .exit
}
# The log or journal as a load of synced creates leaves it, when the filesystem is shut down without
# another write. btrfs cannot be.
crash() {
	[ $fs != btrfs ] || return 0
	must /files/load sync /mnt create 8 ${CRASH_SECONDS:-2} >/dev/null
	must /files/load shutdown /mnt
	must umount /mnt
	load first-mount mount-after-crash $DEVICE $fs /mnt
}
work() {
	case $1 in
	fsync-*) set -- $(echo $1 | tr - ' '); load sync /mnt $2 $3 $SECONDS_EACH ;;
	direct-dsync) load direct-sync /mnt $SECONDS_EACH ;;
	names-*) load names /mnt $FILES ${1#names-} ;;
	sequential-*) load sequential /mnt $MIB ${1#sequential-} ;;
	random-*) set -- $(echo $1 | tr - ' '); load random /mnt $RANDOM_MIB $2 $3 $SECONDS_EACH ;;
	mapped) load mapped /mnt $RANDOM_MIB 4096 ;;
	mounts)
		must cp -r /bin /lib /mnt
		must umount /mnt
		load mounts $DEVICE $fs /mnt 10
		on ;;
	tree) tree ;;
	sqlite) sql ;;
	crash) crash ;;
	pgbench) database ;;
	*) fail "no work $1" ;;
	esac
}
# The case says how `fresh_device` makes $DEVICE and `drop_device` ends it.
all_works() {
	for work in $(echo $WORKS | tr , ' '); do
		for fs in $(echo $FILESYSTEMS | tr , ' '); do
			say "$work $fs"
			fresh_device
			make_filesystem
			on
			work $work
			must umount /mnt
			drop_device
		done
	done
}
