# A device that fails: a write that is lost is told once to each open file; a group that cannot be committed makes the pool
# read-only, says so, and loses nothing that was committed.
# disks: 2x256M
# modules: dm-mod dm-flakey
# programs: dmsetup
# files: build/test/torture
# timeout: 180
T=/files/torture
sectors=$(/usr/local/bin/blockdev --getsz /dev/vda)
modprobe dm-mod 2>/dev/null
must dmsetup create --noudevsync first --table "0 $sectors linear /dev/vda 0"
dmsetup mknodes
DISKS="/dev/dm-0 /dev/vdb"
must test -b /dev/dm-0
# writes_fail, writes_work: of the first device, from now on.
switch() {
	must dmsetup suspend --noflush --noudevsync first
	must dmsetup reload first --table "$1"
	must dmsetup resume --noudevsync first
}
writes_fail() { switch "0 $sectors error"; }
writes_work() { switch "0 $sectors linear /dev/vda 0"; }

must make_pool
# A write that is lost is the file's business; one of the log is the pool's, which is to live on here.
must mount_pool /mnt txg_interval=30,errors=continue
echo kept >/mnt/kept
# Blocks go to both devices: one file per MiB of the stripe.
for i in 1 2 3 4 5 6 7 8; do dd if=/dev/zero of=/mnt/file$i bs=1M count=1 2>/dev/null; done
must sync

say "lost writes are told"
mkfifo /tmp/go
told=
for i in 1 2 3 4 5 6 7 8; do
	sleep 300 >/tmp/go &
	holder=$!
	writes_fail
	$T errors /mnt/file$i </tmp/go >/tmp/results$i &
	torture=$!
	for try in 1 2 3 4 5 6 7 8 9 10; do
		[ -s /tmp/results$i ] || sleep 0.3
	done
	writes_work
	echo go >/tmp/go
	wait $torture || fail "$(cat /tmp/results$i)"
	kill $holder
	case "$(head -n 1 /tmp/results$i)" in
	"-1 -1") told=yes ;;
	"0 0") ;;
	*) fail "fsync gave $(head -n 1 /tmp/results$i)" ;;
	esac
	same "$(tail -n 1 /tmp/results$i)" "0 0" "fsync once the device works"
	[ -z "$told" ] || break
done
[ "$told" = yes ] || fail "no write went to the first device"
touch /mnt/alive || fail "the pool did not live on"
must sync

say "a group that cannot be committed"
must mount -o remount,errors=remount-ro /mnt
mkdir /mnt/lost
writes_fail
# Not by fsync, which is the log's.
sync
for try in 1 2 3 4 5 6 7 8 9 10; do
	grep -q ' /mnt lcpfs ro' /proc/mounts || sleep 0.5
done
grep -q ' /mnt lcpfs ro' /proc/mounts || fail "still read-write"
must_fail touch /mnt/no 2>/dev/null
dmesg_has 'lcpfs \(.*\): committing a transaction group failed' || fail "the log does not say it"
dmesg_has 'lcpfs \(.*\): read-only from now on' || fail "the log does not say read-only"
must_fail mount -o remount,rw /mnt 2>/dev/null
must umount /mnt
writes_work
must check_pool
must mount_pool /mnt
same "$(cat /mnt/kept)" kept "what was committed"
must_fail test -e /mnt/lost
must touch /mnt/alive
must umount /mnt
must check_pool
same "$(dmesg | grep 'lcpfs:' | grep -vc 'out-of-tree\|module verification')" 0 "lines that do not name the pool"
must dmsetup remove --noudevsync first
