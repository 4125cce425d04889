# Damage: one flipped bit in any block of metadata is named by the kernel log and by fsck, with object and address,
# and is put right from the other copy; in both copies it takes away the object it belongs to and nothing else; one
# in file data takes away that block and nothing else.
# disks: 2x64M
# programs: e2fsck cmp build/test/guestkit
# files: build/test/torture
# timeout: 400
# kernels: 6.12 6.1 debug

# device_of NUMBER: the path of that device of the pool.
device_of() { set -- $1 $DISKS; shift $(($1 + 1)); echo $1; }
# flip PLACE [BYTE [BIT]]: one bit of the block at DEVICE:BLOCK.
flip() { must guestkit flip $(device_of ${1%:*}) ${1#*:} ${2:-1234} ${3:-3}; }
mount_quietly() { dmesg -c >/dev/null; mount_pool /mnt noatime; }
read_all() { ls -lR /mnt >/dev/null 2>&1; find /mnt -type f -exec cat {} + >/dev/null 2>&1; }
# named PLACE TEXT: whether a log names it.
named() { grep -q "device ${1%:*} block ${1#*:}\b" "$2"; }

say "a pool with several trees"
must make_pool
must mount_pool /mnt
must mkdir -p /mnt/d/e
for i in $(seq 1 150); do echo "file $i" >/mnt/d/a-name-that-is-long-enough-to-fill-nodes-with-$i; done
for i in $(seq 0 2 160); do dd if=/dev/urandom of=/mnt/holes bs=4k seek=$i count=1 conv=notrunc 2>/dev/null; done
dd if=/dev/urandom of=/mnt/data bs=4k count=300 2>/dev/null
must cp /mnt/data /tmp/data
must ln -s data /mnt/link
holes=$(stat -c %i /mnt/holes) d=$(stat -c %i /mnt/d) data=$(stat -c %i /mnt/data)
(cd /mnt && find . -type f -exec sha256sum {} +) >/tmp/sums
must umount /mnt
must check_pool
must guestkit nodes $DISKS >/tmp/nodes
say "$(wc -l </tmp/nodes) nodes in two copies each: $(cut -d' ' -f1 /tmp/nodes | sort | uniq -c | tr -s ' \n' ' ')"

say "one bit in each copy of each node, one at a time: fsck"
while read -r tree object level places; do
	for place in $places; do
		flip $place $((level * 4096 + object * 97 % 4096))
		must_fail fsck.lcpfs -n $DISKS >/tmp/fsck 2>&1
		named $place /tmp/fsck || fail "fsck does not name $tree $object at $place: $(cat /tmp/fsck)"
		[ $object = 0 ] || grep -q "object $object\b" /tmp/fsck || fail "fsck does not name object $object"
		flip $place $((level * 4096 + object * 97 % 4096))
	done
done </tmp/nodes
must check_pool

say "one bit in the first copy of every node: the kernel says so and repairs it ($(uptime_s) s)"
while read -r tree object level first rest; do flip $first $((object * 31 % 16384)); done </tmp/nodes
must mount_quietly
(cd /mnt && sha256sum -c /tmp/sums >/dev/null 2>&1) || fail "files differ, with one good copy of everything"
read_all
must umount /mnt
dmesg >/tmp/log
while read -r tree object level first rest; do
	named $first /tmp/log || fail "the kernel log does not name $tree $object at $first"
	[ $object = 0 ] || grep -q "object $object in dataset 1.*device ${first%:*} block ${first#*:}\b" /tmp/log ||
		fail "the kernel log does not name object $object"
done </tmp/nodes
must check_pool

say "both copies ($(uptime_s) s)"
# lost OBJECT PATH: with the root of its tree gone, PATH cannot be used and all else can.
lost() {
	places=$(awk -v o=$1 '$2 == o { print $4, $5 }' /tmp/nodes)
	[ -n "$places" ] || fail "object $1 has no node of its own"
	for place in $places; do flip $place; done
	must mount_quietly
	(cd /mnt && sha256sum -c /tmp/sums 2>/dev/null) | grep -v ': OK$' | sed 's/: FAILED.*//' >/tmp/bad
	[ -s /tmp/bad ] && ! grep -qv "^\./$2" /tmp/bad || fail "lost with $2: $(head -n 3 /tmp/bad)"
	must_fail cat /mnt/$(head -n 1 /tmp/bad) >/dev/null 2>/tmp/error
	grep -q "Structure needs cleaning" /tmp/error || fail "$2: $(cat /tmp/error)"
	echo "new" >/mnt/new || fail "nothing can be written beside it"
	must sync
	must rm /mnt/new
	must umount /mnt
	dmesg >/tmp/log
	for place in $places; do named $place /tmp/log || fail "the log does not name $place"; done
	must_fail fsck.lcpfs -n $DISKS >/tmp/fsck 2>&1
	grep -q "object $1\b" /tmp/fsck || fail "fsck does not name object $1: $(cat /tmp/fsck)"
	say "$2: $(wc -l </tmp/bad) files lost; $(head -n 1 /tmp/error)"
	for place in $places; do flip $place; done
	must check_pool
}
lost $holes holes
lost $d d

say "file data ($(uptime_s) s)"
# The kernel log is limited in rate, and the lost names above have filled it.
sleep 6
set -- $(lcpfs dump object:$data $DISKS |
	sed -n 's/.*file block \([0-9]*\) length \([0-9]*\): at \([0-9]*\):\([0-9]*\),.*/\1 \2 \3 \4/p' | tail -n 1)
victim=$(($1 + $2 / 2)) place=$3:$(($4 + $2 / 2))
flip $place 99
must mount_quietly
must_fail cat /mnt/data >/dev/null 2>/tmp/error
grep -q "Input/output error" /tmp/error || fail "reading the file: $(cat /tmp/error)"
# Block by block, zeros where one cannot be read: only that one may be missing.
dd if=/mnt/data of=/tmp/found bs=4k conv=noerror,sync 2>/dev/null
must cp /tmp/data /tmp/wanted
dd if=/dev/zero of=/tmp/wanted bs=4k seek=$victim count=1 conv=notrunc 2>/dev/null
must cmp /tmp/found /tmp/wanted
must /files/torture queued /mnt/data bad $victim
dmesg | grep -q "object $data block $victim at device ${place%:*} block ${place#*:}\b" ||
	fail "the log does not name the block: $(dmesg)"
# A cut into it fails, and takes away nothing that was not on disk yet.
size=$(stat -c %s /mnt/data)
dd if=/dev/urandom of=/tmp/more bs=4k count=4 2>/dev/null
dd if=/tmp/more of=/mnt/data bs=4k seek=$((victim + 1)) count=4 conv=notrunc 2>/dev/null || fail "writing behind the block"
must_fail truncate -s $((victim * 4096 + 100)) /mnt/data 2>/tmp/error
same "$(stat -c %s /mnt/data)" $size "the size after a cut that failed"
must sync
must cmp -i $(((victim + 1) * 4096)):0 -n 16384 /mnt/data /tmp/more
dd if=/tmp/data of=/mnt/data bs=4k skip=$((victim + 1)) seek=$((victim + 1)) count=4 conv=notrunc 2>/dev/null || fail "putting it back"
# One byte of it cannot be changed, all of it can: then the file is whole again.
! printf x | dd of=/mnt/data bs=1 seek=$((victim * 4096 + 5)) conv=notrunc,fsync 2>/dev/null ||
	fail "a part of the block was written over"
must umount /mnt
must_fail fsck.lcpfs -n --data $DISKS >/tmp/fsck 2>&1
grep -q "object $data\b" /tmp/fsck || fail "fsck --data: $(cat /tmp/fsck)"
must check_pool
must mount_quietly
dd if=/tmp/data of=/mnt/data bs=4k skip=$victim seek=$victim count=1 conv=notrunc 2>/dev/null || fail "writing the block anew"
must umount /mnt
must fsck.lcpfs -n --data $DISKS
must mount_quietly
must cmp /tmp/data /mnt/data

say "an allocation bitmap ($(uptime_s) s)"
must umount /mnt
# The last one that was written: those the intent log's ring fills are never looked at again.
written='device \([0-9]*\) metaslab \([0-9]*\) at block \([0-9]*\): .* data, copy \([01]\), written by group \([1-9][0-9]*\).*'
set -- $(lcpfs dump metaslabs $DISKS | sed -n "s/$written/\5 \1 \2 \3 \4/p" | sort -n | tail -n 1 | cut -d' ' -f2-)
[ -n "$4" ] || fail "no bitmap of data was written"
place=$1:$(($3 + $4))
flip $place 100
must_fail fsck.lcpfs -n $DISKS >/tmp/fsck 2>&1
grep -q "block ${place#*:}: bitmap of metaslab $2\b" /tmp/fsck || fail "fsck: $(cat /tmp/fsck)"
must mount_quietly
(cd /mnt && sha256sum -c /tmp/sums >/dev/null 2>&1) || fail "files differ, with a bitmap damaged"
dd if=/dev/urandom of=/mnt/more bs=64k count=100 2>/dev/null || fail "nothing can be written with one bitmap of many damaged"
must sync
must rm /mnt/more
must umount /mnt
dmesg | grep -q "block ${place#*:}: bitmap of metaslab $2\b" || fail "the kernel log does not name the bitmap: $(dmesg)"
must_fail fsck.lcpfs -n $DISKS >/tmp/fsck 2>&1
grep -q '^lcpfs: 1 problems' /tmp/fsck || fail "more than the bitmap is damaged: $(cat /tmp/fsck)"
say "a damaged bitmap is named, nothing is written where it rules, and the rest goes on"
must mount_quietly
must rm /mnt/data
must sync
echo new >/mnt/new || fail "nothing can be written after freeing where the bitmap is damaged"
must umount /mnt
must mount_quietly
dmesg | grep -q 'bitmaps rebuilt' || fail "mounting did not rebuild it: $(dmesg)"
must umount /mnt
must check_pool
say "what lies there can be removed, and the next mount rebuilds it"
