# What each tool says when it is asked for what cannot be, and its exit code: one line here for each. tidy looks that no message of the
# tools is without one; those that need a failing machine stand at its end.
# disks: 2x64M 2x64M 1x8M
# modules: dm-mod
# programs: mount umount dmsetup setfattr
# packages: attr
# timeout: 200
# kernels: 6.12

# says CODE TEXT COMMAND...
says() {
	code=$1 text=$2
	shift 2
	"$@" >/tmp/said 2>&1 </dev/null
	got=$?
	if ! grep -qF -e "$text" /tmp/said; then
		echo "$*: '$text' is not in: $(cat /tmp/said)"
	elif [ $got != $code ]; then
		echo "$*: exit code $got, not $code: $(cat /tmp/said)"
	else
		return
	fi
	bad=$((bad + 1))
}
bad=0
A=/dev/vda B=/dev/vdb C=/dev/vdc D=/dev/vdd SMALL=/dev/vde

say "mkfs.lcpfs: 0 made, 1 not"
says 1 "usage: mkfs.lcpfs" mkfs.lcpfs
says 1 "usage: mkfs.lcpfs" mkfs.lcpfs --colour $A
says 0 "usage: mkfs.lcpfs" mkfs.lcpfs --help
says 0 "lcpfs" mkfs.lcpfs -V
says 1 "a power of two from" mkfs.lcpfs --node-size 12345 $A
says 1 "a power of two from" mkfs.lcpfs --metaslab-size 3M $A
says 1 "a power of two from" mkfs.lcpfs --log-size much $A
says 1 "crc32c, xxh64 or sha256 is wanted" mkfs.lcpfs --checksum md5 $A
says 1 "1 to 63 printable characters, no space or '/', are wanted" mkfs.lcpfs -L "a b" $A
says 1 "32 hexadecimal digits are wanted" mkfs.lcpfs -U 12 $A
says 1 "1, 2 or 3 is wanted" mkfs.lcpfs --copies 4 $A
says 1 "a pool has at most" mkfs.lcpfs --log $B --log $C --log $D --log /dev/x --log /dev/y $A
says 1 "devices: a pool has at most" mkfs.lcpfs $(seq 300)
says 1 "given twice" mkfs.lcpfs $A $A
dd if=/dev/zero of=/tmp/short bs=1M count=1 2>/dev/null
says 1 "are too few for a log device: at least" mkfs.lcpfs --log /tmp/short $A
says 1 "are needed, and room for one metaslab" mkfs.lcpfs $SMALL
says 1 "no folder to fill the pool from" mkfs.lcpfs -d /no/such $A
says 1 "No such file" mkfs.lcpfs /dev/no-such
must mkfs.lcpfs -q -L tank $A $B
says 1 "-f makes a pool over it and loses what is there" mkfs.lcpfs $A
says 1 "carries device 1 of 2 of the lcpfs pool" mkfs.lcpfs $B
must mount -t lcpfs tank /mnt
says 1 "nothing was changed" mkfs.lcpfs -f $B
# A device that fails: all of it, or to be written.
must modprobe dm-mod
sectors=$(/usr/local/bin/blockdev --getsz $C)
must dmsetup create --noudevsync bad --table "0 $sectors error"
dmsetup mknodes
says 1 "cannot look at what is on it" mkfs.lcpfs /dev/dm-0
must dmsetup remove --noudevsync --retry bad
must mkswap $C >/dev/null
must dmsetup create --noudevsync -r bad --table "0 $sectors linear $C 0"
dmsetup mknodes
says 1 "cannot remove what is on it" mkfs.lcpfs -f /dev/dm-0
must dmsetup remove --noudevsync --retry bad
must dd if=/dev/zero of=$C bs=64k count=1 2>/dev/null
must dmsetup create --noudevsync -r bad --table "0 $sectors linear $C 0"
dmsetup mknodes
says 1 "cannot make the pool" mkfs.lcpfs /dev/dm-0
must dmsetup remove --noudevsync --retry bad
must mkfs.lcpfs -q $C

say "lcpfs: 0 done, 1 failed, 2 usage"
says 2 "usage: lcpfs" lcpfs
says 0 "usage: lcpfs" lcpfs --help
says 2 "no such verb" lcpfs snapshot
says 2 "version: takes no arguments, found" lcpfs version again
says 0 "lcpfs" lcpfs version
for verb in scan list status df iostat events dataset partition path log tune dump; do
	says 0 "usage: lcpfs $verb" lcpfs $verb --help
	says 2 "usage: lcpfs $verb" lcpfs $verb --colour
done
says 1 "no label of lcpfs that this version knows" lcpfs scan $D
says 1 "no label of lcpfs that this version knows" lcpfs status $D
says 1 "not a device of lcpfs that this version knows" lcpfs dump labels $D
says 2 "nothing of this kind" lcpfs dump flowers $A $B
says 1 "cannot open the pool" lcpfs dump trees $A
for verb in "dataset list" "partition list" "iostat" "tune get" "log status" "df"; do
	[ "$verb" = df ] || says 1 "no such pool is mounted" lcpfs $verb --pool other
done
says 1 "there is no such dataset" lcpfs dataset get nothing
says 1 "there is one of that name" lcpfs dataset create default
says 1 "a name is letters" lcpfs dataset create "a/b"
says 1 "the name is longer than 63 bytes" lcpfs dataset create $(printf '%064d' 1)
says 1 "keeps its name and cannot be destroyed" lcpfs dataset destroy default
says 1 "there is no partition" lcpfs dataset create --partition nowhere mail
says 2 "no such property or value" lcpfs dataset set default sync=perhaps
says 2 "no such property" lcpfs dataset get default colour
must lcpfs dataset create home
mkdir -p /home
must mount -t lcpfs tank/home /home
says 1 "it is mounted" lcpfs dataset destroy home
must umount /home
says 1 "a name has at most 64 bytes" lcpfs partition create $(printf '%080d' 1)
says 2 "min=SIZE, max=SIZE or" lcpfs partition create db colour=red
says 2 "off, advise or auto is wanted" lcpfs partition mode maybe
says 1 "no mounted pool has such a path (see lcpfs path list" lcpfs path fail sdz
says 1 "it is the last path to its disk that can be used" lcpfs path fail vda
says 1 "no label of lcpfs" lcpfs path add $D
says 1 "its pool is not mounted" lcpfs path add $C
must dd if=$A of=$D bs=1M 2>/dev/null
says 1 "the kernel log says more" lcpfs path add $D
dd if=/dev/zero of=$D bs=1M 2>/dev/null
says 2 "no such setting or value" lcpfs path set vda speed=9
says 2 "no such setting" lcpfs tune set speed=9
says 2 "SETTING=VALUE is meant" lcpfs tune set log-batch
says 1 "not a value it can have" lcpfs tune set log-batch=0
says 2 "SETTING=VALUE is wanted (see lcpfs log --help" lcpfs log set batch
says 1 "has no such log device (see lcpfs log status" lcpfs log remove vdc
must mkdir -p /second
must mount -t lcpfs $C /second
for verb in "dataset create x" "partition create x" "log set batch-records=4" "log remove vdc"; do
	says 1 "more than one pool is mounted: choose with --pool" lcpfs $verb
done
says 1 "several pools are mounted: choose with --pool" lcpfs tune set log-batch=3
says 1 "more than one pool has such a path: choose with --pool" lcpfs path fail 1
must umount /second

say "fsck.lcpfs: 0 clean, 1 repaired, 4 wrong still, 8 not done, 16 usage"
says 16 "usage: fsck.lcpfs" fsck.lcpfs
says 16 "usage: fsck.lcpfs" fsck.lcpfs --colour $A
says 16 "-n, -y and -a are one or the other" fsck.lcpfs -n -y $A
says 16 "--rewind gives up what is newer: it needs -y" fsck.lcpfs -n --rewind 3 $A
says 16 "is no transaction group" fsck.lcpfs -y --rewind soon $A
says 16 "given twice" fsck.lcpfs -y $A $A
says 8 "fsck.lcpfs -n checks it, to repair it has to be unmounted" fsck.lcpfs -y $A $B
says 8 "no such device, and no pool of that name" fsck.lcpfs -n other
says 8 "no lcpfs is mounted there" fsck.lcpfs -n /proc
says 0 "clean" fsck.lcpfs -n tank
must umount /mnt
says 0 "clean" fsck.lcpfs -n tank
says 8 "cannot open the pool" fsck.lcpfs -n $A
says 4 "there is no transaction group" fsck.lcpfs -y --rewind 99999 $A $B
says 4 "lcpfs dump DEVICE uberblocks lists the groups there are" fsck.lcpfs -y --rewind 99999 $A $B
says 8 "several pools have that name" sh -c "mkfs.lcpfs -q -f -L tank $D && fsck.lcpfs -n tank"

for disk in $A $B; do must dd if=/dev/zero of=$disk bs=4k seek=32 count=16352 conv=notrunc 2>/dev/null; done
says 4 "cannot be repaired" fsck.lcpfs -y $A $B

say "mount.lcpfs: 0 mounted, 1 usage, 32 not"
says 1 "usage: mount.lcpfs" mount.lcpfs
must mkfs.lcpfs -q -f -L tank $A $B
says 32 "several pools have that name; say UUID" mount.lcpfs tank /mnt
must mkfs.lcpfs -q -f -L spare $D
says 32 "no such device, and no pool of that name on any" mount.lcpfs other /mnt
says 32 "names no dataset" mount.lcpfs tank/ /mnt
says 32 "that is no UUID" mount.lcpfs UUID=5 /mnt
says 1 "names a dataset, and so does -o dataset" mount.lcpfs -o dataset=home tank/home /mnt
says 32 "option colour" mount.lcpfs -o colour=red tank /mnt
says 32 "No such file" mount.lcpfs tank /no/such
says 32 "the kernel log says" mount.lcpfs tank/none /mnt
must mkdir /tmp/from
must touch /tmp/from/file
setfattr -n user.fine -v yes /tmp/from/file 2>/dev/null
must mkfs.lcpfs -q -f -L spare -d /tmp/from $D

say "without the module"
must rmmod lcpfs
says 1 "is the module loaded?" lcpfs dataset list
says 1 "no pool is mounted" lcpfs iostat
mv /lib/modules /lib/away
says 32 "the kernel has no lcpfs" mount.lcpfs tank /mnt
same $bad 0 "messages that are not as they are to be"
