# A pool without any path left, and no limit to how long it may wait: unmounting it waits, idle or not, mounts of other pools go on
# meanwhile, and a path that is added ends the wait.
# disks: 1x128M 1x64M
# modules: dm-mod
# programs: dmsetup
# files: qemu/guest/paths.sh
# timeout: 200
. /files/paths.sh
SIZE=$(/usr/local/bin/blockdev --getsz /dev/vda)
modprobe dm-mod 2>/dev/null
for path in one two late; do
	must dmsetup create --noudevsync $path --table "0 $SIZE linear /dev/vda 0"
done
dmsetup mknodes
must mkfs.lcpfs -q -f /dev/dm-0
must mkfs.lcpfs -q -f -L other /dev/vdb
mkdir -p /mnt /other
# waits HOW: with what is done to the pool before its paths are gone, and after.
waits() {
	say "$1"
	must mount -i -t lcpfs -o device=/dev/dm-1,no_path_timeout=-1 /dev/dm-0 /mnt
	echo "$1" >/mnt/file
	must sync
	for path in one two; do table $path "0 $SIZE error"; done
	[ "$1" = idle ] || echo "$1" >/mnt/more
	umount /mnt &
	unmount=$!
	sleep 4
	kill -0 $unmount 2>/dev/null || fail "the unmount does not wait"
	must timeout 20 mount -i -t lcpfs /dev/vdb /other
	must timeout 20 umount /other
	must timeout 20 lcpfs path add /dev/dm-2
	for try in $(seq 1 40); do
		kill -0 $unmount 2>/dev/null || break
		sleep 0.5
	done
	kill -0 $unmount 2>/dev/null && fail "it still waits"
	wait $unmount || fail "the unmount failed"
	for path in one two; do table $path "0 $SIZE linear /dev/vda 0"; done
	must fsck.lcpfs -n /dev/dm-0
	must mount -i -t lcpfs /dev/dm-0 /mnt
	same "$(cat /mnt/file /mnt/more 2>/dev/null | tail -n 1)" "$1" "what the file holds"
	must umount /mnt
}
waits idle
waits changed
