# Late writes: a path that holds back what it was given (dm-delay) is timed out and left behind, its writes are done by the
# other path, their files are removed, and the pool is filled to the brim with something else. Then what was held back lands.
# Not a byte of the disk changes by it, since the blocks were kept for as long as that could happen; afterwards they are free.
# disks: 1x64M
# modules: dm-mod dm-delay
# programs: dmsetup
# files: qemu/guest/paths.sh
# kernels: 6.12 6.1
# timeout: 240
# environment: FILES=40
. /files/paths.sh
SIZE=$(/usr/local/bin/blockdev --getsz /dev/vda)
modprobe dm-mod 2>/dev/null
modprobe dm-delay
for path in one two; do
	must dmsetup create --noudevsync $path --table "0 $SIZE linear /dev/vda 0"
done
dmsetup mknodes
ONE=/dev/dm-0 TWO=/dev/dm-1

# The disk as it is, past all caches.
disk_sum() {
	must /usr/local/bin/blockdev --flushbufs /dev/vda
	sha256sum /dev/vda | cut -d ' ' -f 1
}
sum_of() { sha256sum $1 | cut -d ' ' -f 1; }
depth() { lcpfs path list -H | awk -F'\t' -v name=${1##*/} '$4 == name { print $8 }'; }
# fill NAME: until nothing more fits. Blocks that are kept count as available, and are not.
fill() {
	dd if=/dev/urandom of=$1 bs=64k 2>/dev/null && fail "$1 is not full"
	must sync
}

# The path gives what it holds to the disk, and is well.
let_go() {
	dmsetup suspend --nolockfs --noudevsync one && dmsetup reload one --table "0 $SIZE linear /dev/vda 0" &&
		dmsetup resume --noudevsync one
}
# Nothing can end before that.
fail() {
	echo "FAIL: $*" >/dev/console
	lcpfs path list
	let_go
	exit 1
}

must mkfs.lcpfs -q -f $ONE
mkdir -p /mnt
must mount -i -t lcpfs -o device=$TWO $ONE /mnt
must lcpfs path set $TWO priority=1
mkdir /tmp/gone
for file in $(seq 1 $FILES); do dd if=/dev/urandom of=/tmp/gone/$file bs=48k count=1 2>/dev/null; done
# The first change of a mount waits for a few writes of its own; it is not to be what finds out about the path.
must mkdir /mnt/gone
must sync

say "a path holds back what it is given ($(uptime_s) s)"
# The limit only now: switching tables can take longer on a slow machine.
table one "0 $SIZE delay /dev/vda 0 0 /dev/vda 0 3000000"
must lcpfs path set $ONE time-limit=1
must cp -r /tmp/gone/. /mnt/gone
must sync
same "$(state $TWO)" active "the other path"
must lcpfs path fail $ONE
lcpfs path list
held=$(dmsetup status one | awk '{ print $5 }')
[ $held -ge $FILES ] || fail "$held writes are held back, fewer than $FILES"
[ $(depth $ONE) -ge $FILES ] || fail "only $(depth $ONE) requests are on the path that hangs"

say "what it was for is removed, and all space filled anew ($(uptime_s) s)"
for file in $(seq 1 $FILES); do same $(sum_of /mnt/gone/$file) $(sum_of /tmp/gone/$file) "file $file"; done
must rm -r /mnt/gone
for time in 1 2 3; do must sync; done
must touch /mnt/more
for file in filled more; do fill /mnt/$file; done
filled=$(sum_of /mnt/filled)
df -k /mnt
[ $(depth $ONE) -ge $FILES ] || fail "what was held back has landed early"
before=$(disk_sum)

say "it lands ($(uptime_s) s)"
let_go
for try in $(seq 1 60); do
	[ "$(depth $ONE)" != 0 ] || break
	sleep 0.5
done
same "$(depth $ONE)" 0 "requests on the path that hung"
same $(disk_sum) $before "the disk, with what came late"

say "everybody is back ($(uptime_s) s)"
must lcpfs path reinstate $ONE
await $ONE active 60
must rm /mnt/more
for time in 1 2 3; do must sync; done
# What was kept is free again.
must dd if=/dev/urandom of=/mnt/more bs=48k count=$((FILES * 3 / 4)) conv=fsync 2>/dev/null
more=$(sum_of /mnt/more)
for round in 1 2; do
	for file in filled more; do
		eval "known=\$$file"
		same $(sum_of /mnt/$file) $known "$file"
	done
	must umount /mnt
	must fsck.lcpfs -n $ONE
	[ $round = 2 ] || must mount -i -t lcpfs -o device=$TWO $ONE /mnt
done
