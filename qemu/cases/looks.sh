# A mount that looks at a device which does not answer, or not at once: whom it holds up, and whom not. A disk that cannot even be
# opened; one whose labels are read while its rings are not; a whole disk looked at by mistake while its partition is mounted. And one
# that is made anew while its mount waits.
# disks: 3x64M
# modules: dm-mod loop
# programs: mount umount dmsetup losetup blockdev
# timeout: 120
# kernels: 6.12 6.1

SECTORS=131072
# in_time NAME COMMAND...: while what is under way hangs.
in_time() {
	name=/tmp/$1
	shift
	( "$@"; echo $? >$name ) &
	for i in $(seq 200); do
		[ ! -s $name ] || break
		sleep 0.1
	done
	same "$(cat $name)" 0 "$* in time"
}
hold() { must dmsetup suspend --noflush --nolockfs --noudevsync $1; }
release() { must dmsetup resume --noudevsync $1; }
# device NAME: of the mapping.
device() { echo /dev/dm-$(dmsetup info -c --noheadings -o minor $1); }
# mapping NAME TABLE
mapping() {
	must dmsetup create --noudevsync $1 --table "$2"
	dmsetup mknodes
}

mkdir -p /mnt /two /three
modprobe dm-mod
modprobe loop
must mkfs.lcpfs -q -f -L tank /dev/vda
must mkfs.lcpfs -q -f -L other /dev/vdb
mapping one "0 $SECTORS linear /dev/vdb 0"
mapping front "0 2048 linear /dev/vdc 0"
mapping disk "0 2048 linear $(device front) 0
2048 129024 linear /dev/vdc 2048"
# One partition: 32 MiB after the first.
printf '\203\000\000\000\000\010\000\000\000\000\001\000' | dd of=$(device disk) bs=1 seek=450 2>/dev/null
printf '\125\252' | dd of=$(device disk) bs=1 seek=510 2>/dev/null
must losetup --direct-io=on -P /dev/loop0 $(device disk)
must mkfs.lcpfs -q -f -L part /dev/loop0p1

say "a disk that cannot be opened"
must lcpfs scan /dev/vdb # whoever mounts the pool tries this one too, and it is in use
must mount -i -t lcpfs /dev/vda /mnt
echo 3 >/proc/sys/vm/drop_caches
hold front
blockdev --rereadpt /dev/loop0 &
sleep 1
mount -i -t lcpfs /dev/loop0 /three 2>/dev/null &
sleep 1
in_time mounted mount -i -t lcpfs $(device one) /two
in_time unmounted umount /mnt
release front
wait

say "rings that nobody needs"
mapping rings "0 $SECTORS linear /dev/vdb 0"
mapping another "0 256 linear /dev/vdb 0
256 256 linear $(device rings) 256
512 256 linear /dev/vdb 512
768 256 linear $(device rings) 768
1024 130048 linear /dev/vdb 1024"
must mount -i -t lcpfs /dev/vda /mnt
hold rings
mount -i -t lcpfs $(device another) /three &
by_another=$!
sleep 1
in_time unmounted_again umount /mnt
release rings
wait $by_another || fail "by another device"
must umount /two /three

say "made anew while its mount waits for its turn"
hold rings
mount -i -t lcpfs $(device another) /three &
by_another=$!
sleep 1
mount -i -t lcpfs /dev/vda /mnt &
waiting=$!
sleep 1
must mkfs.lcpfs -q -f -L fresh /dev/vda
release rings
wait $by_another || fail "by another device once more"
wait $waiting || fail "made anew"
must umount /mnt /three

say "the whole disk by mistake"
hold front
mount -i -t lcpfs /dev/loop0 /three 2>/dev/null &
whole=$!
sleep 1
mount -i -t lcpfs /dev/loop0p1 /two &
partition=$!
sleep 1
release front
wait $whole && fail "the whole disk is mounted"
wait $partition || fail "the partition is busy"
must umount /two
must losetup -d /dev/loop0
for name in disk front another rings one; do
	must dmsetup remove --noudevsync --retry $name
done
