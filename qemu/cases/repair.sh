# Repair: nodes that are gone in all their copies, the first megabyte of a device: fsck.lcpfs -y puts the pool right, says what is
# lost, and nothing else is; what has lost its name is in lost+found.
# disks: 2x64M
# programs: e2fsck cmp build/test/guestkit
# timeout: 400
# kernels: 6.12 6.1

# device_of NUMBER: the path of that device of the pool.
device_of() { set -- $1 $DISKS; shift $(($1 + 1)); echo $1; }
# ruin PLACE...: a bit in each.
ruin() { for place in $*; do must guestkit flip $(device_of ${place%:*}) ${place#*:} 1234 3; done; }
# repair CODE: what it ends with.
repair() {
	fsck.lcpfs -y $DISKS >/tmp/fsck 2>&1
	[ $? = $1 ] || fail "fsck.lcpfs -y: not $1: $(cat /tmp/fsck)"
}

say "a pool with a tree of files"
must make_pool
must mount_pool /mnt
must mkdir -p /mnt/docs/deep /mnt/other
for i in $(seq 1 200); do echo "file $i" >/mnt/docs/a-name-that-is-long-enough-to-fill-nodes-with-$i; done
for i in $(seq 0 2 160); do dd if=/dev/urandom of=/mnt/other/holes bs=4k seek=$i count=1 conv=notrunc 2>/dev/null; done
dd if=/dev/urandom of=/mnt/docs/deep/data bs=4k count=300 2>/dev/null
must cp --reflink=always /mnt/docs/deep/data /mnt/other/clone
docs=$(stat -c %i /mnt/docs) holes=$(stat -c %i /mnt/other/holes)
(cd /mnt && find . -type f -exec sha256sum {} +) | sort >/tmp/sums
must umount /mnt
must guestkit nodes $DISKS >/tmp/nodes

say "clean: nothing to do"
repair 0
grep -q clean /tmp/fsck || fail "$(cat /tmp/fsck)"

say "the first megabyte of a device"
dd if=/dev/zero of=$(device_of 0) bs=1M count=1 2>/dev/null
must_fail fsck.lcpfs -n $DISKS >/dev/null 2>&1
fsck.lcpfs $DISKS >/tmp/fsck 2>&1 </dev/null
[ $? = 4 ] || fail "without -y it is to change nothing: $(cat /tmp/fsck)"
grep -q "fsck.lcpfs -y repairs it" /tmp/fsck || fail "it does not say how to repair: $(cat /tmp/fsck)"
repair 1
grep -q "label 0 written again" /tmp/fsck || fail "$(cat /tmp/fsck)"
repair 0
must mount_pool /mnt
(cd /mnt && find . -type f -exec sha256sum {} +) | sort | cmp - /tmp/sums || fail "files differ"
must umount /mnt

say "the names of a directory, and the extents of a file"
must guestkit nodes $DISKS >/tmp/nodes
grep "^directory $docs 0 " /tmp/nodes >/tmp/gone
grep "^extents $holes 0 " /tmp/nodes | head -1 >>/tmp/gone
[ $(wc -l </tmp/gone) -ge 2 ] || fail "no such nodes: $(cat /tmp/nodes)"
while read -r tree object level places; do ruin $places; done </tmp/gone
repair 1
say "$(grep -c "lost+found" /tmp/fsck) in lost+found"
grep -q "^/other/holes: some of it is lost" /tmp/fsck || fail "it does not name the file: $(cat /tmp/fsck)"
grep -q "^/docs: some of it is lost" /tmp/fsck || fail "it does not name the directory: $(cat /tmp/fsck)"
repair 0
must mount_pool /mnt
[ $(ls /mnt/lost+found | wc -l) -ge 200 ] || fail "what had a name in that directory is not in lost+found: $(ls /mnt/lost+found)"
(cd /mnt && find . -type f -exec sha256sum {} +) | cut -d' ' -f1 | sort >/tmp/after
grep -v holes /tmp/sums | cut -d' ' -f1 | sort >/tmp/before
sort /tmp/after /tmp/after /tmp/before | uniq -u >/tmp/lacking
[ ! -s /tmp/lacking ] || fail "$(wc -l </tmp/lacking) files are not what they were"
must touch /mnt/docs/again
must rm -r /mnt/lost+found
must umount /mnt
must check_pool

say "back to an older group"
must mount_pool /mnt
echo now >/mnt/now
must sync
must umount /mnt
must fsck.lcpfs -n $DISKS >/tmp/fsck
group=$(sed -n 's/.*group \([0-9]*\):.*/\1/p' /tmp/fsck)
must_fail fsck.lcpfs --rewind $((group - 3)) $DISKS 2>/dev/null
must_fail fsck.lcpfs -y --rewind 99999999 $DISKS 2>/dev/null
fsck.lcpfs -y --rewind $((group - 3)) $DISKS >/tmp/fsck 2>&1
[ $? = 1 ] || fail "going back: $(cat /tmp/fsck)"
must mount_pool /mnt
[ ! -e /mnt/now ] || fail "the file is from a group that was given up"
must umount /mnt
must check_pool
