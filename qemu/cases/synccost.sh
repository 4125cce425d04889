# What a lone fsync costs the device: exactly one write, and one flush where the device has a volatile cache, none where it has
# not; no group commit is waited for, the first fsync after mounting included. The same for O_DSYNC, for sync and dirsync
# mounts, and for every changing call with sync=always. sync=disabled costs nothing, and sync(2) commits all the same.
# disks: 1x512M 1x512M
# programs: mount
# files: build/test/torture
# kernels: 6.12 6.1 debug
# timeout: 150

# The case's own words for mounting: busybox takes sync=... for its own option, whatever stands behind it.
on() { must mount -i -t lcpfs -o "txg_interval=30,$1" /dev/$disk /mnt; GROUP=$(echo /sys/fs/lcpfs/*/group); }
cost() { /files/torture sync-cost /mnt/w $disk $GROUP $flushes $1 || fail "$disk: a count is off"; }
shown() { grep -qE " /mnt lcpfs rw,relatime,(.*,)?$1[, ]" /proc/mounts || fail "$1 is not shown: $(grep ' /mnt ' /proc/mounts)"; }
not_shown() { ! grep -qE " /mnt lcpfs [^ ]*$1" /proc/mounts || fail "$1 is shown: $(grep ' /mnt ' /proc/mounts)"; }
# again TEXT OPTIONS: another mount of the same pool, with nothing of the last round in the directory.
again() {
	say "$disk: $1"
	must umount /mnt
	on ${2:-rw}
	rm -rf /mnt/w/[!f]* /mnt/w/filled
	sync
}

# measure DISK FLUSHES
measure() {
	disk=$1 flushes=$2
	must mkfs.lcpfs -q -f --log-size 4M /dev/$disk
	on rw
	ring=$(cat ${GROUP%/*}/log/ring_bytes)
	[ $ring -le 4194304 ] && [ $ring -gt $((4194304 - 131072)) ] || fail "the ring has $ring bytes"
	mkdir /mnt/w
	/files/torture sync-cost /mnt/w $disk $GROUP 0 prepare || fail "preparing"
	sync
	again "the first fsync after mounting"
	must umount /mnt
	on rw
	cost one
	say "$disk: fsync and O_DSYNC"
	cost asking
	not_shown sync=
	not_shown logbias=
	say "$disk: the log as sysfs shows it"
	log=${GROUP%/*}/log
	before=$(cat $log/frames)
	dd if=/dev/zero of=/mnt/w/one bs=4k count=1 conv=fsync 2>/dev/null
	same $(($(cat $log/frames) - before)) 1 "frames of one fsync"
	same "$(cat $log/pending_entries) $(cat $log/frames_pending) $(cat $log/errors)" "0 0 0" "pending, under way, errors"
	same "$(cat $log/durable)" $([ $flushes = 1 ] && echo fua || echo write) "what makes a log write durable"
	same "$(cat $log/fua_ns) $(cat $log/flush_ns)" "0 0" "nothing to choose on a disk without FUA"
	same "$(tr ' ' '\n' <$log/latency | awk '{ sum += $1 } END { print NR, sum }')" "16 $(cat $log/frames)" "the histogram's sum"
	same $(cat $log/flushes) $(($(cat $log/frames) * flushes)) "flushes"
	for tunable in "batch_records 0 65 1 64 32" "batch_timeout_us 101 -1 100 50 0" "frames_in_flight 0 9 8 1 4"; do
		set -- $tunable
		must_fail sh -c "echo $2 >$log/$1" 2>/dev/null
		must_fail sh -c "echo $3 >$log/$1" 2>/dev/null
		for value in $4 $5 $6; do
			echo $value >$log/$1 || fail "$1: $value"
			same "$(cat $log/$1)" $value $1
			cost one
		done
	done
	must_fail sh -c "echo 1 >$log/frames" 2>/dev/null
	again "dirsync" dirsync
	cost names
	again "sync" sync
	cost always
	again "sync=always" sync=always
	shown sync=always
	cost always
	again "logbias=throughput" logbias=throughput
	shown logbias=throughput
	cost placed
	say "$disk: changed by remount"
	must mount -i -o remount,logbias=latency /mnt
	not_shown logbias=
	cost one
	must mount -i -o remount,sync=disabled /mnt
	shown sync=disabled
	dmesg_has 'lcpfs \(.*\): sync=disabled: ' || fail "the log does not say what sync=disabled means"
	rm -rf /mnt/w/[!f]* /mnt/w/filled
	sync
	cost disabled
	group=$(cat $GROUP)
	sync
	[ $(cat $GROUP) -gt $group ] || fail "sync(2) did not commit"
	must_fail mount -i -o remount,sync=sometimes /mnt 2>/dev/null
	shown sync=disabled
	must mount -i -o remount,sync=standard /mnt
	not_shown sync=
	cost one
	must umount /mnt
	must fsck.lcpfs -n /dev/$disk
}

same "$(cat /sys/block/vda/queue/write_cache)" "write back" "the first disk's cache"
echo "write through" >/sys/block/vdb/queue/write_cache || fail "write_cache"
measure vda 1
measure vdb 0
