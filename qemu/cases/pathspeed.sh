# Throughput over paths that are the limit, by the clock that counts instructions: one disk on two SCSI hosts, each of which has
# QUEUE commands of at most KB KiB under way and takes NS for every one. Large writes with fsync, reads, and callers of fsync, by eight at
# once: one path, two equal ones by each policy, two of which one is slower by 30 ms; beside device-mapper's multipath with XFS
# and with lcpfs above it. No test of its own: what it says is a measure.
# disks: none
# clock: instructions
# memory: 3072
# modules: scsi_debug dm-mod dm-delay dm-multipath dm-service-time dm-queue-length xfs
# programs: dmsetup mkfs.xfs
# packages: xfsprogs
# files: build/test/torture qemu/guest/paths.sh qemu/guest/pathbench.sh
# kernels: none
# timeout: 1200
# environment: NS=10000000 QUEUE=1 KB=128 MB=16 SECONDS_EACH=2 EQUAL=1 UNEQUAL=1
. /files/paths.sh
. /files/pathbench.sh
for module in dm-mod dm-delay dm-multipath dm-service-time dm-queue-length xfs; do modprobe $module 2>/dev/null; done
two_hosts $NS $QUEUE
dd if=/dev/urandom of=/tmp/some bs=1M count=$MB 2>/dev/null
JOBS="1 2 3 4 5 6 7 8"

# each COMMAND...: by all jobs at once, $job in it; gives MB/s.
each() {
	began=$(now_ms)
	jobs=
	for job in $JOBS; do
		eval "$1" &
		jobs="$jobs $!"
	done
	for process in $jobs; do wait $process || fail "$1"; done
	awk -v ms=$(($(now_ms) - began)) -v mb=$((MB * 8)) 'BEGIN { printf "%.1f", mb * 1000 / ms }'
}
# measure NAME: what is mounted at /mnt; unmounts it.
measure() {
	written=$(each 'dd if=/tmp/some of=/mnt/file$job bs=1M conv=fsync 2>/dev/null')
	must umount /mnt
	must $remount
	[ -z "$policy" ] || must lcpfs path set $path policy=$policy
	read=$(each 'dd if=/mnt/file$job of=/dev/null bs=1M 2>/dev/null')
	must mkdir /mnt/w
	calls=$(/files/torture sync-load /mnt/w overwrite 8 $SECONDS_EACH) || fail "sync-load"
	printf '@ %-40s %8s %8s %8s %s\n' "$1" $written $read "$(echo "$calls" | sed 's/.*, \([0-9]*\) a second.*/\1/')" \
		"$(echo "$calls" | sed 's/.*median/median/')"
	[ -z "$VERBOSE" ] || [ -z "$policy" ] || lcpfs path list
	unmount
}
lcpfs_by() { # NAME POLICY PATH...
	name=$1 policy=$2
	shift 2
	path=$1
	mount_lcpfs $*
	[ -z "$policy" ] || must lcpfs path set $path policy=$policy
	measure "$name"
	policy=
}
POLICIES=${POLICIES:-service-time,least-queue,least-latency,round-robin}
policy=
table_of() { # TITLE GOOD OTHER
	printf '@ %-40s %8s %8s %8s\n' "$1" "write MB/s" "read MB/s" "fsync/s"
	lcpfs_by "lcpfs, one path" "" $2
	for which in $(echo $POLICIES | tr , ' '); do lcpfs_by "lcpfs, two, $which" $which $2 $3; done
	mount_xfs $2
	measure "xfs, one path"
	for selector in service-time queue-length; do
		multipath $selector $2 $3
		mount_xfs /dev/mapper/$selector
		measure "xfs on dm-multipath, $selector"
		multipath $selector $2 $3
		mount_lcpfs /dev/mapper/$selector
		measure "lcpfs on dm-multipath, $selector"
	done
}
if [ $EQUAL = 1 ]; then
	table_of "two equal paths" $A $B
fi
if [ $UNEQUAL = 1 ]; then
	must dmsetup create --noudevsync good --table "0 $SIZE linear $A 0"
	must dmsetup create --noudevsync slow --table "0 $SIZE delay $B 0 30"
	dmsetup mknodes
	table_of "one slower by 30 ms" /dev/dm-0 /dev/dm-1
	must dmsetup remove --noudevsync good
	must dmsetup remove --noudevsync slow
fi
