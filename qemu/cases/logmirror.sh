# Log devices that mirror each other. A lone fsync is one write to each; lcpfs log looks, tunes, takes out and puts in. One is taken
# away while eight threads sync and no call fails; then the machine is killed, and the pool is mounted with each: with the one
# that was away alone it is refused, with the other all is there that they had been told is durable. Then killed with both in use, and
# mounted with either.
# disks: 2x256M 1x16M 2x64M
# boots: 3
# cpus: 2
# files: build/test/torture
# modules: dm-mod
# programs: dmsetup mount
# kernels: 6.12
# timeout: 240
T=/files/torture
WITNESS=/dev/vdc
DATA="/dev/vda /dev/vdb"
A=/dev/dm-0 B=/dev/dm-1
SIZE=$(/usr/local/bin/blockdev --getsz /dev/vdd)
modprobe dm-mod 2>/dev/null
must dmsetup create --noudevsync a --table "0 $SIZE linear /dev/vdd 0"
must dmsetup create --noudevsync b --table "0 $SIZE linear /dev/vde 0"
dmsetup mknodes
mkdir -p /mnt
# on OPTIONS LOG...
on() {
	options=device=/dev/vdb,$1
	shift
	for log; do options=$options,device=$log; done
	mount -i -t lcpfs -o $options /dev/vda /mnt
}
writes() { awk '{ print $5 }' /sys/block/$1/stat; }
state() { cat /sys/fs/lcpfs/*/log_device; }
members() { awk '{ printf "%s%s", n++ ? " " : "", $3 }' /sys/fs/lcpfs/*/log/members; }
# one_write TEXT ON-A ON-B ON-DATA
one_write() {
	: >>/mnt/file # without a ring on a log device the first file that is opened for writing has the log turned on
	before_a=$(writes vdd) before_b=$(writes vde) before_data=$(($(writes vda) + $(writes vdb)))
	must dd if=/dev/urandom of=/mnt/file bs=4k count=1 seek=3 conv=notrunc,fsync 2>/dev/null
	same "$(($(writes vdd) - before_a)) $(($(writes vde) - before_b)) $(($(writes vda) + $(writes vdb) - before_data))" "$2 $3 $4" \
		"$1: writes to the first log device, to the second, to the others"
}
acknowledged() { must $T acknowledged /mnt/round$1 $WITNESS 8 check; }
begin() {
	must mkdir /mnt/round$STAGE
	must sync
	$T acknowledged /mnt/round$STAGE $WITNESS 8 $RANDOM &
	sleep 4
}

tools() {
	must lcpfs log status
	lcpfs log status | grep -q 'device 2 .*dm-., active$' || fail "the status does not name the first"
	same "$(lcpfs log status -H | cut -f 2)" active "state in the table"
	lcpfs log status --json | grep -q '"state": "active"' || fail "the json does not show the devices: $(lcpfs log status --json)"
	must lcpfs log set batch-records=16 batch-bytes=64K batch-timeout=20 frames-in-flight=2
	same "$(lcpfs log status -H | cut -f 14-17)" "16	65536	20	2" "what was set"
	one_write "tuned" 1 1 0
	must lcpfs log set batch-records=32 batch-bytes=128K batch-timeout=0 frames-in-flight=4
	must_fail lcpfs log set batch-timeout=101 2>/tmp/why
	must_fail lcpfs log set frames-in-flight=9 2>/tmp/why
	lcpfs log set colour=9 2>/tmp/why
	same $? 2 "exit code of a setting that there is not"
	must_fail lcpfs log add $A 2>/tmp/why
	grep -q 'on it already' /tmp/why || fail "adding twice: $(cat /tmp/why)"
	must_fail lcpfs log remove /dev/vda 2>/tmp/why
	must lcpfs log remove $A
	same "$(state): $(members)" "active: unused active" "with one taken out"
	one_write "the second alone" 0 1 0
	must lcpfs log remove 3
	same "$(state): $(members)" "unused: unused unused" "with both taken out"
	one_write "the pool's ring" 0 0 1
	must_fail lcpfs log remove 3 2>/tmp/why
	must umount /mnt
	must fsck.lcpfs -n $DATA
	must on txg_interval=30 # nobody misses them
	same "$(state)" none "without either"
	one_write "the pool's ring" 0 0 1
	must umount /mnt
	must on txg_interval=30 $A $B
	same "$(state): $(members)" "unused: unused unused" "with both back"
	must lcpfs log add $B
	one_write "the second put in" 0 1 0
	must lcpfs log add $A
	same "$(state): $(members)" "active: active active" "with both put in"
	one_write "both put in" 1 1 0
	must umount /mnt
	must fsck.lcpfs -n --data $DATA $A $B
}

case $STAGE in
1)
	must_fail mkfs.lcpfs --log $A --log $A $DATA 2>/tmp/why
	must mkfs.lcpfs -q -f --log $A --log $B $DATA
	must fsck.lcpfs -n $DATA $A $B
	must_fail on rw
	must on txg_interval=30 $A $B
	same "$(state): $(members)" "active: active active" "state"
	must lcpfs status
	dd if=/dev/zero of=/mnt/file bs=4k count=64 2>/dev/null
	sync
	one_write "both" 1 1 0
	tools
	must on rw $A $B
	begin
	must dmsetup suspend --noflush --nolockfs --noudevsync b
	must dmsetup reload b --table "0 $SIZE error"
	must dmsetup resume --noudevsync b
	# It fails with the next frame; from the second group after that on the first alone has the log.
	for try in $(seq 1 200); do
		[ "$(state)" != degraded ] || break
		sleep 0.1
	done
	same "$(state): $(members)" "degraded: active failed" "with one gone"
	dmesg_has 'log device 3 of 4 \(dm-1\) failed: .*the log goes on on the others' || fail "the log does not say it"
	lcpfs status | grep -q 'device 3 .*log (failed)$' || fail "status does not say that it failed: $(lcpfs status)"
	kill_machine 3
	wait
	fail "it ended before the machine did"
	;;
2)
	must_fail on rw $B
	dmesg_has 'log device 2 of 4 .* is missing; name it' || fail "the log does not say which has the whole log"
	must_fail on rw
	must on rw $A
	same "$(state): $(members)" "degraded: active missing" "with the one that has it"
	acknowledged 1
	one_write "the first alone" 1 0 0
	must umount /mnt
	must fsck.lcpfs -n $DATA $A
	must_fail on rw $B
	must on rw $A $B
	same "$(state): $(members)" "active: active active" "with both again"
	acknowledged 1
	begin
	kill_machine 3
	wait
	fail "it ended before the machine did"
	;;
3)
	must on rw $B
	same "$(state): $(members)" "degraded: missing active" "with the second"
	acknowledged 2
	must umount /mnt
	must_fail on rw $A
	must fsck.lcpfs -n --data $DATA $A $B
	must on rw $A $B
	acknowledged 2
	one_write "both again" 1 1 0
	must umount /mnt
	;;
esac
