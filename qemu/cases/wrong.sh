# Mounting what is not a whole and known pool: each is refused with an error and with one line in the kernel
# log that names the device or the pool and says what and why. `mutated` goes on with changed images.
# disks: 2x64M 2x64M
# programs: e2fsck build/test/guestkit
# timeout: 200
# kernels: 6.12 6.1 debug

# refused WHAT REGEX MOUNT-ARGUMENTS...: the mount fails, and its one line says so.
refused() {
	what=$1 regex=$2
	shift 2
	dmesg -c >/dev/null
	! mount -i -t lcpfs "$@" /mnt 2>/tmp/error || fail "$what: mounted"
	dmesg >/tmp/dmesg
	same "$(grep -c lcpfs /tmp/dmesg)" ${LINES:-1} "$what: lines in the kernel log ($(cat /tmp/dmesg))"
	grep -qE "$regex" /tmp/dmesg || fail "$what: the log says: $(cat /tmp/dmesg)"
	say "$what: $(tail -n 1 /tmp/dmesg | sed 's/.*lcpfs[^:]*: //')"
}
# poke DEVICE BYTE-OFFSET: the byte there becomes 0xee.
poke() { printf '\356' | dd of=$1 bs=1 seek=$2 conv=notrunc 2>/dev/null || fail "poke $1 $2"; }
# The four labels of a disk of 64 MiB, by their first block.
LABELS="0 64 16256 16320"
whole() { must mkfs.lcpfs -q -f -L "$1" $2; }

say "things that are no pool"
refused "zeros" "vda: .*no lcpfs label" /dev/vda
dd if=/dev/urandom of=/dev/vda bs=1M 2>/dev/null
refused "random bytes" "vda: .*no lcpfs label" /dev/vda
must mkfs.ext4 -q -F /dev/vda
refused "ext4" "vda: .*no lcpfs label" /dev/vda
must_fail mount -i -t lcpfs /dev/nothing /mnt 2>/dev/null
must_fail mount -i -t lcpfs /dev/null /mnt 2>/dev/null
must_fail mount -i -t lcpfs /lib.sh /mnt 2>/dev/null

say "part of a pool, or too much of it"
whole two "/dev/vda /dev/vdb"
refused "the first of two disks" "pool two: device 1 of 2 .*missing" /dev/vda
refused "the second of two disks" "pool two: device 0 of 2 .*missing" /dev/vdb
whole other /dev/vdc
refused "a disk of another pool" "vdc .*another pool" -o device=/dev/vdc /dev/vda
refused "a disk of another pool and all of this" "vdc .*another pool" -o device=/dev/vdb,device=/dev/vdc /dev/vda
dd if=/dev/vdb of=/dev/vdd bs=1M 2>/dev/null
# The path that is refused has a line of its own before that of the mount.
LINES=2
refused "a copied disk" "vdd: .*identity" -o device=/dev/vdb,device=/dev/vdd /dev/vda
LINES=1
must mount_pool /mnt
must umount /mnt

say "a device that became shorter"
dd if=/dev/vdc of=/tmp/short bs=1M count=63 2>/dev/null
modprobe loop
loop=$(losetup -f --show /tmp/short) || fail losetup
refused "a megabyte cut off" "${loop#/dev/}: .*(smaller|short)" $loop
losetup -d $loop

say "features from the future"
must guestkit feature incompat 40 /dev/vdc
refused "an unknown incompatible feature" "vdc: .*feature" /dev/vdc
whole other /dev/vdc
must guestkit feature ro-compat 7 /dev/vdc
refused "an unknown feature of writing, read-write" "other.*feature.*ro" /dev/vdc
must mount -i -t lcpfs -o ro /dev/vdc /mnt
must_fail mount -i -o remount,rw /mnt 2>/dev/null
must_fail touch /mnt/x 2>/dev/null
must umount /mnt
whole other /dev/vdc
must guestkit feature compat 3 /dev/vdc
must mount -i -t lcpfs /dev/vdc /mnt
must touch /mnt/x
must umount /mnt
must fsck.lcpfs -n /dev/vdc
whole other /dev/vdc
for label in $LABELS; do poke /dev/vdc $((label * 4096 + 4096 + 8)); done
refused "another version of the format" "vdc: .*version" /dev/vdc

say "damage in labels and uberblocks"
whole other /dev/vdc
for label in $LABELS; do poke /dev/vdc $((label * 4096 + 4096 + 150)); done
refused "all labels damaged" "vdc: .*damaged" /dev/vdc
whole other /dev/vdc
for label in $LABELS; do dd if=/dev/zero of=/dev/vdc bs=4k seek=$((label + 32)) count=32 2>/dev/null; done
refused "no uberblock" "vdc: .*uberblock" /dev/vdc
whole other /dev/vdc
for label in 0 64 16256; do poke /dev/vdc $((label * 4096 + 4096 + 150)); done
must mount -i -t lcpfs /dev/vdc /mnt
must touch /mnt/x
must umount /mnt
say "one good label of four is enough to mount"

say "options"
whole other /dev/vdc
for option in nonsense txg_interval=99 errors=maybe device= dataset=nope sync_mode=sometimes logbias=slow; do
	dmesg -c >/dev/null
	must_fail mount -i -t lcpfs -o $option /dev/vdc /mnt 2>/dev/null
	dmesg | grep -q "lcpfs.*${option%%=*}" || fail "$option: the log says: $(dmesg)"
	say "$option: $(dmesg | sed 's/.*lcpfs: //' | head -n 1)"
done
must mount -i -t lcpfs /dev/vdc /mnt
must touch /mnt/y
must umount /mnt
must fsck.lcpfs -n /dev/vdc
