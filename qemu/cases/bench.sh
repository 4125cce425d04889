# The comparison bench: works of userspace/bench/load on lcpfs, ext4, XFS and btrfs, each with its defaults, each work on a filesystem
# made for it on a fresh null_blk device (in memory, 80 us by a timer, with a volatile cache or without one), by the clock that counts
# instructions. `make bench` (qemu/bench.py) runs it and makes a table of what it says; no test of its own.
# disks: none
# clock: instructions
# memory: 5120
# payload: part
# modules: null_blk xfs btrfs
# programs: mkfs.xfs mkfs.btrfs sqlite3
# packages: xfsprogs btrfs-progs sqlite3
# files: build/test/load
# kernels: none
# timeout: 7200
# environment: CACHE=0 FILESYSTEMS=lcpfs,ext4,xfs,btrfs WORKS=fsync-append-1 SECONDS_EACH=0.5 FILES=20000 MIB=1024 RANDOM_MIB=256
DEVICE=/dev/nullb0
for module in xfs btrfs ext4; do modprobe $module 2>/dev/null; done
echo 4 >/proc/sys/kernel/printk

device() {
	must modprobe null_blk nr_devices=1 queue_mode=2 irqmode=2 completion_nsec=80000 memory_backed=1 gb=3 bs=512 cache_size=$CACHE \
		submit_queues=1 hw_queue_depth=128
}
make_filesystem() {
	case $fs in
	ext4) must mkfs.ext4 -q $DEVICE ;;
	*) must mkfs.$fs -q $DEVICE ;;
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
	*) fail "no work $1" ;;
	esac
}
for work in $(echo $WORKS | tr , ' '); do
	for fs in $(echo $FILESYSTEMS | tr , ' '); do
		say "$work $fs"
		device
		make_filesystem
		on
		work $work
		must umount /mnt
		must modprobe -r null_blk
	done
done
