# Log writes and flushes that fail: fsync fails once for each open file, the pool follows errors=, nothing that was acknowledged
# before is missing afterwards, and the check finds nothing.
# disks: 1x256M
# modules: dm-mod dm-flakey
# programs: dmsetup
# files: build/test/torture
# kernels: 6.12 6.1
# timeout: 180
T=/files/torture
sectors=$(/usr/local/bin/blockdev --getsz /dev/vda)
modprobe dm-mod 2>/dev/null
must dmsetup create --noudevsync first --table "0 $sectors linear /dev/vda 0"
dmsetup mknodes
DISKS=/dev/dm-0
# The device as it is from now on. Nothing but the log is written to it until then: groups are far apart.
switch() {
	must dmsetup suspend --noflush --nolockfs --noudevsync first
	must dmsetup reload first --table "0 $sectors $1"
	must dmsetup resume --noudevsync first
}
writes_fail() { switch "flakey /dev/vda 0 0 86400 1 error_writes"; }
works() { switch "linear /dev/vda 0"; }
mount_it() { must mount_pool /mnt txg_interval=30,$1; LOG=$(echo /sys/fs/lcpfs/*/log); }

# fail_once NAME: a small write to the file, with its log write failing, by two open files.
fail_once() {
	touch /mnt/$1
	must sync /mnt/$1
	mkfifo /tmp/go-$1
	sleep 300 >/tmp/go-$1 &
	holder=$!
	$T errors /mnt/$1 ready </tmp/go-$1 >/tmp/results-$1 &
	torture=$!
	for try in 1 2 3 4 5 6 7 8 9 10; do
		grep -q ready /tmp/results-$1 || sleep 0.3
	done
	writes_fail
	echo go >/tmp/go-$1
	for try in 1 2 3 4 5 6 7 8 9 10; do
		[ $(wc -l </tmp/results-$1) -ge 2 ] || sleep 0.3
	done
	works
	echo go >/tmp/go-$1
	wait $torture || fail "$(cat /tmp/results-$1)"
	kill $holder
}

must make_pool
say "errors=continue: told once to each, then groups take over, then the log goes on"
mount_it errors=continue
for i in 1 2 3; do echo "acknowledged $i" >/mnt/kept$i; must sync /mnt/kept$i; done
fail_once file
same "$(sed -n 2p /tmp/results-file)" "-1 -1" "the first fsync by each"
same "$(sed -n 3p /tmp/results-file)" "0 0" "fsync once the device works"
grep -q ' /mnt lcpfs rw' /proc/mounts || fail "not writable any more"
dmesg_has 'lcpfs \(.*\): writing the intent log failed: .*group commits take over' || fail "the log does not say it"
[ $(cat $LOG/errors) -ge 1 ] || fail "the error is not counted"
frames=$(cat $LOG/frames) group=$(cat ${LOG%/*}/group)
echo after >/mnt/after
must sync /mnt/after
same $(cat $LOG/frames) $((frames + 1)) "log writes of one fsync"
same $(cat ${LOG%/*}/group) $group "groups"
must umount /mnt
must check_pool

say "errors=remount-ro: the pool stops, and what was acknowledged is there afterwards"
mount_it errors=remount-ro
for i in 4 5 6; do echo "acknowledged $i" >/mnt/kept$i; must sync /mnt/kept$i; done
must mv /mnt/kept1 /mnt/moved
must sync /mnt
dmesg -c >/dev/null
fail_once other
same "$(sed -n 2p /tmp/results-other | cut -d' ' -f1)" -1 "the first fsync"
for try in 1 2 3 4 5 6 7 8 9 10; do
	grep -q ' /mnt lcpfs ro' /proc/mounts || sleep 0.5
done
grep -q ' /mnt lcpfs ro' /proc/mounts || fail "still read-write"
dmesg_has 'lcpfs \(.*\): writing the intent log failed: .*no further change' || fail "the log does not say it"
must_fail touch /mnt/no 2>/dev/null
must_fail mount -o remount,rw /mnt 2>/dev/null
same "$(cat /mnt/kept4)" "acknowledged 4" "what is read until unmounting"
must umount /mnt
mount_it errors=remount-ro
dmesg_has 'operations are newer than the committed group .* and have been done again' || fail "nothing was replayed"
for i in 2 3 4 5 6; do same "$(cat /mnt/kept$i)" "acknowledged $i" "kept$i"; done
same "$(cat /mnt/moved)" "acknowledged 1" "the renamed file"
same "$(cat /mnt/after)" after "the file after the first failure"
must_fail test -e /mnt/kept1
must touch /mnt/alive
must umount /mnt
must check_pool
must dmsetup remove --noudevsync first
