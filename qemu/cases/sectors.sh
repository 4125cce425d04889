# Bad sectors: one in each ring of uberblocks and one behind the end of the log cost nothing; one under the log is told of, and
# keeps what the log holds until it can be read.
# disks: 1x256M
# modules: dm-mod dm-flakey
# programs: dmsetup grep xfs_io
# kernels: 6.12
# timeout: 120
sectors=$(/usr/local/bin/blockdev --getsz /dev/vda)
modprobe dm-mod 2>/dev/null
must dmsetup create --noudevsync disk --table "0 $sectors linear /dev/vda 0"
dmsetup mknodes
DISKS=/dev/dm-0
# bad [BLOCK...]: these of 4 KiB cannot be read from now on, rising; they can be written.
bad() {
	at=0
	for block in $*; do
		start=$((block * 8))
		echo "$at $((start - at)) linear /dev/vda $at"
		echo "$start 8 flakey /dev/vda $start 0 86400 1 error_reads"
		at=$((start + 8))
	done >/tmp/table
	echo "$at $((sectors - at)) linear /dev/vda $at" >>/tmp/table
	must dmsetup suspend --noudevsync disk
	must dmsetup reload disk --table "$(cat /tmp/table)"
	must dmsetup resume --noudevsync disk
	echo 3 >/proc/sys/vm/drop_caches
}

must make_pool
must mount_pool /mnt txg_interval=30
for i in 1 2 3 4 5 6 7 8; do
	cp /bin/busybox /mnt/program$i
	must sync
done
for i in $(seq 1 20); do
	echo "acknowledged $i of this run" >>/mnt/lines
	must sync /mnt/lines
done
must xfs_io -x -c shutdown /mnt
must umount /mnt
last=$(grep -abo "acknowledged 20 of this run" /dev/vda | tail -n 1 | cut -d : -f 1)
[ -n "$last" ] || fail "the log is not on the disk"
log=$((last / 4096))

# The labels are of 64 blocks, two at each end; the second half of each is its ring.
rings="36 101"
end_rings="$((sectors / 8 - 128 + 38)) $((sectors / 8 - 64 + 39))"

say "under the log: refused, and nothing lost"
bad $rings $log $end_rings
must_fail dd if=$DISKS of=/dev/null bs=4k skip=$log count=1 2>/dev/null
must_fail mount_pool /mnt 2>/dev/null
dmesg_has 'intent log: cannot be read behind frame .*; nothing is changed: mount it when the device works' || fail "it does not say why"

say "behind it, and in each ring"
bad $rings $((log + 3)) $end_rings
must mount_pool /mnt
dmesg_has 'intent log: .* operations are newer than the committed group' || fail "the log was not replayed"
dmesg_has 'intent log: [0-9]* bytes behind frame 20, .* cannot be read' || fail "it does not say what it passed over"
dmesg_has 'going back to group' && fail "a group was given up"
same "$(tail -n 1 /mnt/lines)" "acknowledged 20 of this run" "the last line"
same "$(wc -l </mnt/lines)" 20 "lines"
for i in 1 8; do cmp /bin/busybox /mnt/program$i || fail "program$i differs"; done
must touch /mnt/more
must sync /mnt/more
must umount /mnt
must mount_pool /mnt
must test -e /mnt/more
must umount /mnt

say "in good order"
bad
must check_pool
