# Tracepoints: each of the five is turned on and tells what it is about: commits, log writes, paths that change, decisions about
# partitions, checksums that do not fit. None tells anything while it is off.
# disks: 1x256M
# modules: dm-mod
# programs: dmsetup build/test/guestkit
# files: qemu/guest/paths.sh
# kernels: 6.12
# timeout: 180
. /files/paths.sh
SIZE=$(/usr/local/bin/blockdev --getsz /dev/vda)
modprobe dm-mod 2>/dev/null
# What a program has read of the disk is forgotten when nobody has it open any more.
paths_there() {
	for path in one two; do must dmsetup create --noudevsync $path --table "0 $SIZE linear /dev/vda 0"; done
	dmsetup mknodes
}
paths_gone() { for path in one two; do must dmsetup remove --noudevsync $path; done; }
paths_there
ONE=/dev/dm-0 TWO=/dev/dm-1
T=/sys/kernel/tracing
mkdir -p $T
mount -t tracefs tracefs $T 2>/dev/null || [ -e $T/trace ] || fail "no tracefs"
mount_both() { must mount -i -t lcpfs -o device=$TWO $ONE /mnt; }
off() { echo 0 >$T/events/lcpfs/enable && : >$T/trace; }
on() { must test -d $T/events/lcpfs/lcpfs_$1; echo 1 >$T/events/lcpfs/lcpfs_$1/enable || fail "enabling $1"; }
# told EVENT REGEX: what was told is that, and nothing else is told of.
told() {
	grep -q "lcpfs_$1: pool=[^ ]* $2" $T/trace || fail "$1 does not tell $2: $(cat $T/trace)"
	other=$(grep 'lcpfs_[a-z_]*: ' $T/trace | grep -v "lcpfs_$1: ")
	[ -z "$other" ] || fail "told of others than $1: $other"
	say "$(grep "lcpfs_$1: pool=[^ ]* $2" $T/trace | head -n 1 | sed 's/.*lcpfs_/lcpfs_/')"
	off
}

must mkfs.lcpfs -q -f -L traced $ONE
mkdir -p /mnt
mount_both
same "$(ls -d $T/events/lcpfs/lcpfs_* | wc -l)" 5 "tracepoints"
off
echo quiet >/mnt/quiet
must sync
must dd if=/dev/zero of=/mnt/quiet bs=4k count=1 conv=fsync
must lcpfs path fail $ONE
must lcpfs path reinstate $ONE
await $ONE active 40
! grep -q lcpfs_ $T/trace || fail "tells what nobody listens to: $(cat $T/trace)"

on txg
echo more >>/mnt/quiet
must sync
grep -q 'lcpfs_txg: pool=traced txg=[0-9]* stage=syncing' $T/trace || fail "$(cat $T/trace)"
told txg 'txg=[0-9]* stage=committed error=0'

on log_frame
dd if=/dev/zero of=/mnt/quiet bs=4k count=1 conv=fsync,notrunc 2>/dev/null || fail "fsync"
grep -q 'lcpfs_log_frame: pool=traced sequence=[0-9]* submit .* records=[1-9]' $T/trace || fail "$(cat $T/trace)"
told log_frame 'sequence=[0-9]* complete .* bytes=[1-9][0-9]* .*latency_ns=[1-9][0-9]* error=0'

on path
must lcpfs path fail $ONE
told path 'device=0 path=[0-9]* (.*) active -> failed'
on path
must lcpfs path reinstate $ONE
await $ONE active 40
told path 'device=0 path=[0-9]* (.*) failed -> active'

dd if=/dev/urandom of=/mnt/data bs=4k count=100 2>/dev/null
object=$(stat -c %i /mnt/data)
must umount /mnt
paths_gone
set -- $(lcpfs dump object:$object /dev/vda |
	sed -n 's/.*file block \([0-9]*\) length \([0-9]*\): at \([0-9]*\):\([0-9]*\),.*/\1 \2 \3 \4/p' | tail -n 1)
must guestkit flip /dev/vda $(($4 + $2 / 2)) 99 3
paths_there
mount_both
on checksum
must_fail cat /mnt/data >/dev/null 2>/tmp/error
told checksum "data dataset=1 object=$object file_block=$(($1 + $2 / 2)) vdev=0 block=$(($4 + $2 / 2))"
must rm /mnt/data
must umount /mnt
paths_gone
must guestkit nodes /dev/vda >/tmp/nodes
while read -r tree object level first rest; do must guestkit flip /dev/vda ${first#*:} 2000 3; done </tmp/nodes
paths_there
on checksum
mount_both
ls -lR /mnt >/dev/null
told checksum 'metadata dataset=[0-9]* object=[0-9]* file_block=-1 vdev=0 block=[1-9]'

must lcpfs partition create small max=64M
must lcpfs dataset create --partition small inside
mkdir -p /inside
must mount -i -t lcpfs -o device=$TWO,dataset=inside $ONE /inside
on partition
dd if=/dev/zero of=/inside/file bs=1M count=10 2>/dev/null || fail "writing to the partition"
must sync
told partition 'number=[0-9]* partition=[0-9]* other=0 grow reason=full result=open metaslabs=[1-9]'
on partition
dd if=/dev/zero of=/inside/more bs=1M count=100 2>/dev/null && fail "beyond the maximum"
told partition 'number=[0-9]* .* reason=refused_maximum result=none'
must umount /inside
must umount /mnt
paths_gone
must fsck.lcpfs -n /dev/vda
