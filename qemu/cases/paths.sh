# One disk by two device-mapper paths (--set PATHS=4: by four, of which two fail together), under a verifying load with fsync:
# paths that fail every request, one in three, hang, are slow by 30 ms, are removed and added; all paths gone for ten
# seconds. The load sees no error, its data verifies, the check is clean. Then copies and foreign disks are refused, and
# all paths stay gone for too long.
# disks: 1x256M 1x256M 1x64M
# modules: dm-mod dm-flakey dm-delay
# programs: dmsetup fio
# files: qemu/guest/paths.sh
# packages: fio
# kernels: 6.12
# timeout: 600
# memory: 1536
# environment: PATHS=2 LOAD=130
. /files/paths.sh
SIZE=$(/usr/local/bin/blockdev --getsz /dev/vda)
modprobe dm-mod 2>/dev/null
modprobe dm-flakey
modprobe dm-delay
NAMES="one two three four"
NAMES=$(echo $NAMES | cut -d ' ' -f 1-$PATHS)
for path in $NAMES; do
	must dmsetup create --noudevsync $path --table "0 $SIZE linear /dev/vda 0"
done
dmsetup mknodes
ONE=/dev/dm-0 TWO=/dev/dm-1
OTHERS=device=$TWO
[ $PATHS = 2 ] || OTHERS=$OTHERS,device=/dev/dm-2,device=/dev/dm-3
well() { table $1 "0 $SIZE linear /dev/vda 0"; }
dead() { table $1 "0 $SIZE error"; }
fio_lives() { kill -0 $load 2>/dev/null || { cat /tmp/fio; fail "the load ended"; }; }

must mkfs.lcpfs -q -f $ONE
mkdir -p /mnt
must mount -i -t lcpfs -o $OTHERS $ONE /mnt
lcpfs path list
same "$(state $ONE) $(state $TWO)" "active active" "states"
must lcpfs path set $ONE time-limit=2
say "load"
/usr/local/bin/fio --name=verify --directory=/mnt --size=12m --bs=4k-64k --rw=randwrite --fsync=4 --ioengine=psync \
	--verify=crc32c --do_verify=0 --time_based --runtime=$LOAD --randseed=7 --eta=never >/tmp/fio 2>&1 &
load=$!
sleep 4
fio_lives

say "every request of one path fails, or of two of four ($(uptime_s) s)"
dead one
[ $PATHS = 2 ] || dead three
await $ONE failed 20
sleep 3
fio_lives
well one
[ $PATHS = 2 ] || well three
await $ONE active 40
say "one fails one second in three ($(uptime_s) s)"
table two "0 $SIZE flakey /dev/vda 0 2 1"
sleep 10
fio_lives
well two
await $TWO active 90
say "one hangs ($(uptime_s) s)"
dmsetup suspend --noflush --nolockfs --noudevsync one
await $ONE failed 30
sleep 4
fio_lives
must dmsetup resume --noudevsync one
await $ONE active 90
say "one is slow by 30 ms ($(uptime_s) s)"
table two "0 $SIZE delay /dev/vda 0 30"
sleep 6
fio_lives
well two
say "one is removed and added ($(uptime_s) s)"
must lcpfs path remove $TWO
must dmsetup remove --noudevsync two
sleep 2
[ $PATHS != 2 ] || must_fail lcpfs path remove $ONE
must dmsetup create --noudevsync two --table "0 $SIZE linear /dev/vda 0"
dmsetup mknodes
must lcpfs path add $TWO
same "$(state $TWO)" active "the path added"
must_fail lcpfs path add $TWO
say "all are gone for ten seconds ($(uptime_s) s)"
for path in $NAMES; do dead $path; done
sleep 10
for path in $NAMES; do well $path; done
await $ONE active 60
fio_lives
say "waiting for the load ($(uptime_s) s)"
wait $load || { cat /tmp/fio; dmesg | tail -n 30; fail "the load saw an error"; }
grep -E "write:|fsync|lat.*max" /tmp/fio | head -n 6
lcpfs path list
lcpfs path list --json | grep -A6 pool_totals | head -n 7
must umount /mnt
must fsck.lcpfs -n $ONE
must mount -i -t lcpfs -o $OTHERS $ONE /mnt
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
must_fail mount -i -t lcpfs -o device=/dev/vdc $ONE /mnt
must mount -i -t lcpfs -o $OTHERS,no_path_timeout=3 $ONE /mnt

say "all are gone for longer than the time ($(uptime_s) s)"
echo kept >/mnt/kept
must sync
for path in $NAMES; do dead $path; done
must_fail dd if=/dev/zero of=/mnt/lost bs=4k count=1 conv=fsync 2>/dev/null
for try in $(seq 1 20); do
	touch /mnt/more 2>/dev/null || break
	sleep 0.5
done
must_fail touch /mnt/more
for path in $NAMES; do well $path; done
umount /mnt
must fsck.lcpfs -n $ONE
must mount -i -t lcpfs -o $OTHERS $ONE /mnt
same "$(cat /mnt/kept)" kept "what was synced before"
must umount /mnt
