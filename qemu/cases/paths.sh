# One disk by two device-mapper paths, under a verifying load with fsync: a path that fails every request, one in three,
# hangs, is slow by 30 ms, is removed and added, flaps; all paths gone for ten seconds. The load sees no error, its data
# verifies, the check is clean. Then copies and foreign disks are refused, and all paths stay gone for too long.
# disks: 1x256M 1x256M 1x64M
# modules: dm-mod dm-flakey dm-delay
# programs: dmsetup fio
# packages: fio
# kernels: 6.12 6.1
# timeout: 600
# memory: 1536
SIZE=$(/usr/local/bin/blockdev --getsz /dev/vda)
modprobe dm-mod 2>/dev/null
modprobe dm-flakey
modprobe dm-delay
for path in one two; do
	must dmsetup create --noudevsync $path --table "0 $SIZE linear /dev/vda 0"
done
dmsetup mknodes
ONE=/dev/dm-0 TWO=/dev/dm-1
# table NAME TABLE: another one from now on; what is under way ends by the old one.
table() {
	must dmsetup suspend --noflush --nolockfs --noudevsync $1
	must dmsetup reload $1 --table "$2"
	must dmsetup resume --noudevsync $1
}
well() { table $1 "0 $SIZE linear /dev/vda 0"; }
dead() { table $1 "0 $SIZE error"; }
# state DEVICE
state() { lcpfs path list -H | awk -F'\t' -v name=${1##*/} '$4 == name { print $5 }'; }
# await DEVICE STATE SECONDS
await() {
	for try in $(seq 1 $(($3 * 2))); do
		[ "$(state $1)" != "$2" ] || return 0
		sleep 0.5
	done
	lcpfs path list
	fail "$1 is $(state $1), not $2, after $3 s"
}
load_lives() { kill -0 $load 2>/dev/null || { cat /tmp/fio; fail "the load ended"; }; }

must mkfs.lcpfs -q -f $ONE
mkdir -p /mnt
must mount -i -t lcpfs -o device=$TWO $ONE /mnt
lcpfs path list
same "$(state $ONE) $(state $TWO)" "active active" "states"
must lcpfs path set $ONE time-limit=2
say "load"
/usr/local/bin/fio --name=verify --directory=/mnt --size=12m --bs=4k-64k --rw=randwrite --fsync=4 --ioengine=psync \
	--verify=crc32c --do_verify=0 --time_based --runtime=${LOAD:-130} --randseed=7 --eta=never >/tmp/fio 2>&1 &
load=$!
sleep 4
load_lives

say "every request of one path fails ($(uptime_s) s)"
dead one
await $ONE failed 20
sleep 3
load_lives
well one
await $ONE active 40
say "one fails one second in three ($(uptime_s) s)"
table two "0 $SIZE flakey /dev/vda 0 2 1"
sleep 10
load_lives
well two
await $TWO active 90
say "one hangs ($(uptime_s) s)"
dmsetup suspend --noflush --nolockfs --noudevsync one
await $ONE failed 30
sleep 4
load_lives
must dmsetup resume --noudevsync one
await $ONE active 90
say "one is slow by 30 ms ($(uptime_s) s)"
table two "0 $SIZE delay /dev/vda 0 30"
sleep 6
load_lives
well two
say "one is removed and added ($(uptime_s) s)"
must lcpfs path remove $TWO
must dmsetup remove --noudevsync two
sleep 2
must_fail lcpfs path remove $ONE
must dmsetup create --noudevsync two --table "0 $SIZE linear /dev/vda 0"
dmsetup mknodes
must lcpfs path add $TWO
same "$(state $TWO)" active "the path added"
must_fail lcpfs path add $TWO
say "all are gone for ten seconds ($(uptime_s) s)"
dead one
dead two
sleep 10
well one
well two
await $ONE active 60
load_lives
say "waiting for the load ($(uptime_s) s)"
wait $load || { cat /tmp/fio; dmesg | tail -n 30; fail "the load saw an error"; }
grep -E "write:|fsync|lat.*max" /tmp/fio | head -n 6
lcpfs path list
lcpfs path list --json | grep -A6 pool_totals | head -n 7
must umount /mnt
must fsck.lcpfs -n $ONE
must mount -i -t lcpfs -o device=$TWO $ONE /mnt
say "verifying ($(uptime_s) s)"
/usr/local/bin/fio --name=verify --directory=/mnt --size=12m --bs=4k-64k --rw=randwrite --ioengine=psync --verify=crc32c \
	--verify_only --randseed=7 --eta=never >/tmp/fio 2>&1 || { cat /tmp/fio; fail "verification"; }

say "what is not a path ($(uptime_s) s)"
must sync
dd if=/dev/vda of=/dev/vdb bs=1M 2>/dev/null
must_fail lcpfs path add /dev/vdb
must dmesg_has "copied disk"
must mkfs.lcpfs -q -f -L other /dev/vdc
must_fail lcpfs path add /dev/vdc
same "$(state $ONE) $(state $TWO)" "active active" "states after the refusals"
must umount /mnt
must_fail mount -i -t lcpfs -o device=/dev/vdb $ONE /mnt
must mount -i -t lcpfs -o device=$TWO,no_path_timeout=3 $ONE /mnt

say "all are gone for longer than the time ($(uptime_s) s)"
echo kept >/mnt/kept
must sync
dead one
dead two
must_fail dd if=/dev/zero of=/mnt/lost bs=4k count=1 conv=fsync 2>/dev/null
for try in $(seq 1 20); do
	touch /mnt/more 2>/dev/null || break
	sleep 0.5
done
must_fail touch /mnt/more
well one
well two
umount /mnt
must fsck.lcpfs -n $ONE
must mount -i -t lcpfs -o device=$TWO $ONE /mnt
same "$(cat /mnt/kept)" kept "what was synced before"
must umount /mnt
