# Memory: a pool's numbers in sysfs, the metadata cache under pressure, and nothing left in any slab cache after
# unmounting and unloading.
# disks: 2x256M
# memory: 512
# append: slab_nomerge
# programs: e2fsck build/test/guestkit
# environment: FILES=6000
# timeout: 300
# kernels: 6.12 6.1 debug

sysfs() { cat /sys/fs/lcpfs/*/$1; }
available_mib() { awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo; }
# slabs: "cache objects" of each slab cache of ours that holds any.
slabs() {
	for cache in /sys/kernel/slab/lcpfs_*; do
		[ ! -e $cache ] || echo 1 >$cache/shrink
	done
	awk '$1 ~ /^lcpfs_/ && $2 > 0 { print $1, $2 }' /proc/slabinfo
}

say "a tree of $FILES files"
must make_pool
must mount_pool /mnt noatime
must mkdir /mnt/tree
n=0
while [ $n -lt $FILES ]; do
	[ $((n % 500)) != 0 ] || must mkdir /mnt/tree/$n
	echo "file $n of many" >/mnt/tree/$((n - n % 500))/a-name-of-some-length-$n || fail "file $n"
	n=$((n + 1))
done
must sync
same "$(ls /sys/fs/lcpfs)" "$(lcpfs status | awk '/uuid/ { print $2 }')" "the pool's directory in sysfs"
same "$(sysfs name) $(sysfs state) $(sysfs devices)" "lcpfs active 2" "name, state, devices"
same "$(sysfs space/total_bytes)" "$(stat -f -c '%b * %S' /mnt | awk '{ printf "%d", $1 * $3 }')" "bytes in all"
[ $(sysfs objects) -ge $FILES ] || fail "$(sysfs objects) objects"
for file in $(cd /sys/fs/lcpfs/*/ && find . -type f); do
	case $file in
	*/log/members | */log/add | */log/remove) continue ;; # a list of none, and what is only written
	esac
	[ -n "$(sysfs $file)" ] || fail "$file says nothing"
done
# Not under KASAN, where nothing is kept. What stays is the reserve.
if [ "$KERNEL" != debug ]; then
	requests() { slabs | awk '$1 ~ /^lcpfs_write_[0-9]/ { print $2 }'; }
	i=1
	while [ $i -le 40 ]; do
		dd if=/dev/urandom of=/mnt/$i bs=1M count=1 2>/dev/null &
		i=$((i + 1))
	done
	wait
	must sync
	must rm /mnt/[0-9]*
	before=$(requests)
	for i in 1 2 3; do echo 2 >/proc/sys/vm/drop_caches; done
	after=$(requests)
	say "drop_caches: $before requests kept with the reserve before, $after after"
	[ $after -lt $before ] || fail "memory that was given back is kept for good"
fi
must umount /mnt
must_fail test -e /sys/fs/lcpfs/*/name

say "unmounted ($(uptime_s) s)"
# Inodes go after an RCU grace period.
for i in 1 2 3 4 5 6 7 8 9 10; do
	left=$(slabs)
	[ -n "$left" ] || break
	sleep 1
done
[ -z "$left" ] || fail "left in slab caches after unmounting: $left"
say "no object is left in any of $(ls -d /sys/kernel/slab/lcpfs_* | wc -l) slab caches"

walk() { find /mnt -type f -exec cat {} + >/dev/null || fail "walking the tree"; }
# falls WHAT BEFORE AFTER PERCENT: less than so much of it is left.
falls() {
	say "$1: $(($2 / 1024)) KiB of metadata before, $(($3 / 1024)) KiB after"
	[ $3 -lt $(($2 * $4 / 100)) ] || fail "$1: the metadata cache did not shrink"
}
say "the metadata cache ($(uptime_s) s)"
must mount_pool /mnt noatime
walk
before=$(sysfs caches/metadata_bytes)
[ $before -gt 1000000 ] || fail "only $before bytes of metadata after reading $FILES files"
for i in 1 2 3; do echo 2 >/proc/sys/vm/drop_caches; done
falls "drop_caches" $before $(sysfs caches/metadata_bytes) 50
echo 3 >/proc/sys/vm/drop_caches
walk
before=$(sysfs caches/metadata_bytes)
say "a process that wants nearly all of $(available_mib) MiB, and a kernel that wants more free than there is ($(uptime_s) s)"
least=$(cat /proc/sys/vm/min_free_kbytes)
# Nobody has to wait for memory at 85 % of what is free, but the kernel's reclaim wants half as much again, until it has what it
# wanted: it is asked again and again. Of the last sixty nodes or so it asks for none: they are few to it.
for i in $(seq 1 20); do
	must guestkit hog $(($(available_mib) - 12))
	awk '/^MemFree/ { print int($2 * 0.85) }' /proc/meminfo >/proc/sys/vm/min_free_kbytes
	sleep 1
	echo $least >/proc/sys/vm/min_free_kbytes
	[ $(sysfs caches/metadata_bytes) -ge $((before * 3 / 4)) ] || break
done
say "asked $i times ($(uptime_s) s)"
echo $least >/proc/sys/vm/min_free_kbytes
falls "memory pressure" $before $(sysfs caches/metadata_bytes) 75
walk
must umount /mnt
must check_pool
for i in 1 2 3 4 5 6 7 8 9 10; do
	left=$(slabs)
	[ -n "$left" ] || break
	sleep 1
done
[ -z "$left" ] || fail "left in slab caches after unmounting: $left"
must rmmod lcpfs
must_fail grep '^lcpfs' /proc/slabinfo
must_fail test -e /sys/fs/lcpfs
must modprobe lcpfs
