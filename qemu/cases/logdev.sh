# A log device: mkfs makes one and refuses what it has to; a lone fsync is one write to it and none to the others until the group
# commits; it fails under a load of fsync and no call fails; mounting without it is refused, and with recover=discard-log goes
# on for good; what comes back later is let be. udev is told that a pool is ready when no log device is missing that it still needs.
# disks: 2x256M 1x64M 1x2M 1x160M
# modules: dm-mod
# programs: dmsetup mount
# kernels: 6.12 6.1
# timeout: 240
DATA="/dev/vda /dev/vdb"
LOG=/dev/dm-0
SIZE=$(/usr/local/bin/blockdev --getsz /dev/vdc)
modprobe dm-mod 2>/dev/null
must dmsetup create --noudevsync log --table "0 $SIZE linear /dev/vdc 0"
dmsetup mknodes
must test -b $LOG
table() {
	must dmsetup suspend --noflush --nolockfs --noudevsync log
	must dmsetup reload log --table "$1"
	must dmsetup resume --noudevsync log
}
mkdir -p /mnt
# on OPTIONS [LOG]
on() { mount -i -t lcpfs -o "txg_interval=30,device=/dev/vdb${2:+,device=$2},$1" /dev/vda /mnt; }
writes() { awk '{ print $5 }' /sys/block/$1/stat; }
data_writes() { echo $(($(writes vda) + $(writes vdb))); }
state() { cat /sys/fs/lcpfs/*/log_device; }
group() { cat /sys/fs/lcpfs/*/group; }
# overwrite BLOCK: of a file, and fsync it.
overwrite() { dd if=/dev/urandom of=/mnt/file bs=4k count=1 seek=$1 conv=notrunc,fsync 2>/dev/null; }
# one_write TEXT LOG-WRITES DATA-WRITES COMMAND...
one_write() {
	what=$1 on_log=$2 on_data=$3
	shift 3
	: >>/mnt/file # without a ring on a log device the first file that is opened for writing has the log turned on
	before_log=$(writes vdc) before_data=$(data_writes) before_group=$(group)
	must "$@"
	same "$(($(writes vdc) - before_log)) $(($(data_writes) - before_data)) $(group)" "$on_log $on_data $before_group" \
		"$what: writes to the log device, to the others, group"
}

say "mkfs"
must_fail mkfs.lcpfs --log /dev/vdd $DATA 2>/tmp/why
grep -q 'too few for a log device' /tmp/why || fail "too small: $(cat /tmp/why)"
must_fail mkfs.lcpfs --log /dev/vda $DATA 2>/tmp/why
must mkfs.lcpfs --log $LOG $DATA
must_fail mkfs.lcpfs --log $LOG $DATA 2>/tmp/why
must_fail mkfs.lcpfs --log $LOG /dev/vdd 2>/tmp/why
must fsck.lcpfs -n $DATA $LOG
must_fail on rw
dmesg_has 'log device 2 of 3 \(guid [0-9a-f]{32}\) is missing' || fail "the log does not name what is missing"
must on rw $LOG
same "$(state)" active "state"
must_fail mkfs.lcpfs -f --log $LOG /dev/vdd 2>/tmp/why
lcpfs status
lcpfs status | grep -q 'dm-0, .*, log$' || fail "status does not show the log device"

say "what fsync costs"
dd if=/dev/zero of=/mnt/file bs=4k count=64 2>/dev/null
sync
for block in 3 9 3 60; do one_write "an overwritten block" 1 0 overwrite $block; done
must umount /mnt
must on rw $LOG
one_write "the first after mounting" 1 0 overwrite 5
before=$(writes vdc)
sync
same $(writes vdc) $before "writes to the log device by a commit"
must umount /mnt
# By way of the scan as well.
must lcpfs scan $DATA $LOG
must mount -i -t lcpfs -o txg_interval=30 /dev/vdb /mnt
one_write "after a scan" 1 0 overwrite 6
must umount /mnt
must fsck.lcpfs -n --data $DATA $LOG

say "it fails under a load"
must on rw $LOG
mkdir /mnt/load
load() {
	n=0
	while [ ! -e /tmp/stop ]; do
		file=/mnt/load/$1-$n
		dd if=/dev/urandom of=$file bs=4k count=$((n % 5 + 1)) conv=fsync 2>/dev/null || { echo $file >>/tmp/failed; return; }
		md5sum $file >>/tmp/sums$1
		n=$((n + 1))
	done
}
for worker in 1 2 3 4; do load $worker & done
sleep 5
table "0 $SIZE error"
for try in $(seq 1 40); do
	[ "$(state)" != failed ] || break
	sleep 0.5
done
same "$(state)" failed "state"
sleep 5
touch /tmp/stop
wait
[ ! -e /tmp/failed ] || fail "fsync of $(cat /tmp/failed) failed"
cat /tmp/sums* >/tmp/sums
say "$(wc -l </tmp/sums) files were made durable"
dmesg_has 'lcpfs \(lcpfs\): log device 2 of 3 \(dm-0\) failed: .*the log goes on in the pool' || fail "the log does not say it"
same "$(cat /sys/fs/lcpfs/*/state)" active "the pool"
lcpfs status | grep -q 'log (failed)$' || fail "status does not say that it failed"
sync
one_write "the pool's ring" 0 1 overwrite 7
must md5sum -c -s /tmp/sums
must umount /mnt

say "without it"
must_fail on rw
dmesg_has 'is missing; name it .*recover=discard-log' || fail "the log does not say what to do"
must on ro,norecovery
same "$(state)" missing "state"
must umount /mnt
must on recover=discard-log
same "$(state)" none "state"
must md5sum -c -s /tmp/sums
one_write "the pool's ring" 0 1 overwrite 8
must umount /mnt
must fsck.lcpfs -n --data $DATA
must on rw
must md5sum -c -s /tmp/sums
must umount /mnt

say "it comes back"
table "0 $SIZE linear /dev/vdc 0"
before=$(writes vdc)
must on rw $LOG
same "$(state)" unused "state"
dmesg_has 'log device 2 of 3 \(dm-0\) is not used' || fail "the log does not say that it is not used"
must md5sum -c -s /tmp/sums
one_write "the pool's ring" 0 1 overwrite 9
must umount /mnt
same $(writes vdc) $before "writes to a device that is not used"
must fsck.lcpfs -n $DATA $LOG
must lcpfs status $DATA
must dmsetup remove --noudevsync log

say "larger than is usual"
must mkfs.lcpfs -q -f --log /dev/vde --log-size 128M $DATA
must mount -i -t lcpfs -o device=/dev/vdb,device=/dev/vde /dev/vda /mnt
same "$(cat /sys/fs/lcpfs/*/log/ring_bytes)" $((128 << 20)) "bytes of the ring"
overwrite 0
must umount /mnt
must fsck.lcpfs -n $DATA /dev/vde

say "what udev is told"
ready() { lcpfs scan --udev /dev/vda 2>/tmp/why | sed -n 's/^ID_LCPFS_READY=//p'; }
# is_ready ANSWER TEXT
is_ready() {
	same "$(ready)" $1 "$2: ready"
	[ ! -s /tmp/why ] || fail "$2: $(cat /tmp/why)"
}
gone() { dd if=/dev/zero of=$1 bs=1M 2>/dev/null; sync; }
must mkfs.lcpfs -q -f --log /dev/vdc --log /dev/vde $DATA
is_ready 1 "all there"
gone /dev/vde
is_ready 0 "one of two missing"
must on rw /dev/vdc
is_ready 1 "one of two missing, mounted"
overwrite 0
must umount /mnt
is_ready 1 "one of two missing, as the pool knows"
must on rw /dev/vdc
must lcpfs log remove /dev/vdc
must umount /mnt
is_ready 1 "the last that worked taken out"
must on rw
must umount /mnt
must mkfs.lcpfs -q -f --log /dev/vdc $DATA
must on rw /dev/vdc
overwrite 0
must lcpfs log remove /dev/vdc
must umount /mnt
gone /dev/vdc
is_ready 1 "the only one taken out"
must on rw
lcpfs status >/tmp/status
grep -q 'health *healthy' /tmp/status || fail "$(cat /tmp/status)"
overwrite 1
must umount /mnt
must fsck.lcpfs -n $DATA
must mkfs.lcpfs -q -f --log /dev/vdc $DATA
must on rw /dev/vdc
overwrite 0
must umount /mnt
gone /dev/vdc
is_ready 0 "the only one missing"
must on recover=discard-log
is_ready 1 "the only one missing, mounted"
overwrite 1
must umount /mnt
is_ready 1 "the only one given up"
for disk in $DATA; do
	for at in 128 384 $((262144 - 384)) $((262144 - 128)); do # its uberblocks
		must dd if=/dev/zero of=$disk bs=1k seek=$at count=128 conv=notrunc 2>/dev/null
	done
done
must_fail lcpfs dump trees $DATA 2>/tmp/why
is_ready 0 "it cannot be looked at"
