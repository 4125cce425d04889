# Checking a pool that is mounted and written meanwhile: clean as long as nothing is wrong, by name, by device, by a directory of it; what
# is damaged is found, and the pool goes on as if nobody looked.
# disks: 2x128M
# programs: e2fsck build/test/guestkit
# timeout: 300
# kernels: 6.12 6.1

must make_pool
must mount_pool /mnt txg_interval=1
name=$(cat /sys/fs/lcpfs/*/name)
must mkdir /mnt/cold /mnt/hot
for i in $(seq 1 100); do dd if=/dev/urandom of=/mnt/cold/$i bs=4k count=20 2>/dev/null; done
sync

say "checked while files come and go"
(
	i=0
	while [ ! -e /tmp/enough ]; do
		dd if=/dev/urandom of=/mnt/hot/$((i % 30)) bs=16k count=$((1 + i % 20)) conv=fsync 2>/dev/null || exit 1
		[ $((i % 7)) != 0 ] || rm -f /mnt/hot/$((i % 11))
		[ $((i % 9)) != 0 ] || mv -f /mnt/hot/$((i % 30)) /mnt/hot/renamed 2>/dev/null
		i=$((i + 1))
	done
	echo $i >/tmp/rounds
) &
writer=$!
groups=
for what in $name /mnt /mnt/cold "$(set -- $DISKS; echo $2)" $name; do
	fsck.lcpfs -n --data $what >/tmp/fsck 2>&1
	[ $? = 0 ] || fail "fsck.lcpfs -n $what: $(cat /tmp/fsck)"
	grep -q ": clean, group" /tmp/fsck || fail "$(cat /tmp/fsck)"
	groups="$groups $(sed -n 's/.*clean, group \([0-9]*\):.*/\1/p' /tmp/fsck)"
done
must lcpfs check $name >/dev/null
touch /tmp/enough
must wait $writer
say "groups$groups, $(cat /tmp/rounds) rounds of writing beside it"
[ $(echo $groups | tr ' ' '\n' | sort -un | wc -l) -ge 3 ] || fail "it has always looked at the same group: $groups"
[ $(cat /tmp/rounds) -ge 20 ] || fail "nothing was written meanwhile"

say "damage is found"
must sync
must guestkit nodes $DISKS >/tmp/nodes
id=$(stat -c %i /mnt/cold/50)
place=$(grep "^extents $id " /tmp/nodes | awk '{ print $4; exit }')
[ -n "$place" ] || place=$(awk '/^directory/ { print $4; exit }' /tmp/nodes)
disk=$(set -- $DISKS; shift ${place%:*}; echo $1)
must guestkit flip $disk ${place#*:} 100 1
fsck.lcpfs -n $name >/tmp/fsck 2>&1
[ $? = 4 ] || fail "a node with a wrong bit was not found: $(cat /tmp/fsck)"
say "$(grep -v "problems" /tmp/fsck | head -n 1)"
must_fail fsck.lcpfs -y $name >/dev/null 2>&1
must_fail fsck.lcpfs -n no-such-pool >/dev/null 2>&1
must_fail fsck.lcpfs -n /proc >/dev/null 2>&1
must cat /mnt/cold/* >/dev/null # from the other copy
must umount /mnt
