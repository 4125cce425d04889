# Differ: the same random calls on lcpfs and on a stock filesystem of the same kernel, by several processes at once, with the same
# result, error and content each time; then mounted anew, and the same still. What only lcpfs can be asked: holes by their blocks,
# flags and projects, file handles over a remount, and shutting down. On 6.1, or with `--set COMPRESSION=lz4`, what lcpfs stores is
# compressed.
# disks: 2x256M 1x512M
# programs: e2fsck mkfs.ext4 mkfs.xfs xfs_io filefrag chattr lsattr build/test/torture build/test/guestkit
# packages: xfsprogs e2fsprogs
# modules: xfs ext4
# memory: 1536
# timeout: 400
# kernels: 6.12 6.1 debug
# environment: OPERATIONS=25000 PROCESSES=4 SEED=1 COMPRESSION=

[ "$KERNEL" != debug ] || OPERATIONS=$((OPERATIONS / 8))
other=/dev/vdc
DISKS="/dev/vda /dev/vdb"
[ "$KERNEL" != 6.1 ] || COMPRESSION=${COMPRESSION:-zstd}
must make_pool
must mount_pool /mnt noatime${COMPRESSION:+,compression=$COMPRESSION}
mkdir -p /other
if modprobe xfs 2>/dev/null; then
	beside=xfs
	must mkfs.xfs -q -f $other
	must mount -t xfs -o noatime $other /other
else
	beside=ext4
	# Its journal and values beyond a block do not go together for long: twice it was an assertion of jbd2 that ended a long run.
	must mkfs.ext4 -q -F -O ea_inode,^has_journal $other
	must mount -t ext4 -o noatime $other /other
fi

say "$PROCESSES processes, $OPERATIONS operations each, $beside beside it"
i=1
while [ $i -le $PROCESSES ]; do
	must mkdir /mnt/p$i /other/p$i
	torture differ /mnt/p$i /other/p$i $OPERATIONS $((SEED + i)) >/tmp/out.$i 2>&1 &
	i=$((i + 1))
done
wait
cat /tmp/out.*
same "$(grep -c 'no difference' /tmp/out.* | awk -F: '{ n += $2 } END { print n }')" $PROCESSES "processes without a difference"
must umount /mnt
must check_pool
must mount_pool /mnt noatime
i=1
while [ $i -le $PROCESSES ]; do
	must torture same /mnt/p$i /other/p$i
	i=$((i + 1))
done
say "the same after a mount ($(uptime_s) s)"

say "holes by their blocks"
map() {
	xfs_io -r -c fiemap $1 | tail -n +2 | tr -d '[]:' | sed 's/\.\./ /' | awk '
		function tell() { if (what != "") printf "%s-%d %s;", from, to, what }
		{ kind = $4 == "hole" ? "hole" : "data" }
		kind != what { tell(); from = $2; what = kind }
		{ to = $3 }
		END { tell() }'
}
xfs_io -f -c "pwrite -q 0 64k" -c "pwrite -q 128k 4k" -c "truncate 1m" /mnt/sparse || fail "writing"
same "$(map /mnt/sparse)" "0-127 data;128-255 hole;256-263 data;264-2047 hole;" "the map"
same "$(xfs_io -r -c 'seek -a -r 0' /mnt/sparse | awk 'NR > 1 { print $1 $2 }' | tr '\n' ' ')" \
	"DATA0 HOLE65536 DATA131072 HOLE135168 " "SEEK_DATA and SEEK_HOLE"
must xfs_io -c "fpunch 4k 8k" -c "fpunch 20000 30000" /mnt/sparse
same "$(map /mnt/sparse)" "0-7 data;8-23 hole;24-39 data;40-95 hole;96-127 data;128-255 hole;256-263 data;264-2047 hole;" \
	"the map after punching"
same "$(xfs_io -r -c 'pread -v 19996 8' /mnt/sparse | head -n 1 | cut -c 12-34)" "cd cd cd cd 00 00 00 00" "bytes beside the hole"
before=$(stat -f -c %f /mnt)
must xfs_io -f -c "pwrite -q -b 1m 0 40m" -c fsync -c "fpunch 0 40m" -c fsync /mnt/punched
same "$(stat -c '%s %b' /mnt/punched)" "41943040 0" "size and blocks of a file that is one hole"
sync
sync
[ $(stat -f -c %f /mnt) -ge $((before - 2000)) ] || fail "the space of a hole did not come back"
must xfs_io -f -c "pwrite -q -S 1 0 16k" -c "pwrite -q -S 2 16k 16k" -c "fcollapse 4k 8k" -c "finsert 0 4k" -c "fzero 20k 30k" /mnt/moved
same "$(stat -c %s /mnt/moved)" 51200 "the size after moving and zeroing"
first_bytes() {
	for i in 0 1 2 3 4 5 6 7 8 9 10 11 12; do
		dd if=$1 bs=4k skip=$i count=1 2>/dev/null | head -c 1 | od -An -tx1
	done | tr -d '\n'
}
same "$(first_bytes /mnt/moved)" " 00 01 01 02 02 00 00 00 00 00 00 00 00" "blocks after moving"

say "file handles"
must mkdir -p /mnt/deep/deeper
echo "by its handle" >/mnt/deep/deeper/file
echo "removed" >/mnt/removed
must torture handle /mnt/deep/deeper/file /tmp/handle.file
must torture handle /mnt/removed /tmp/handle.removed
same "$(torture by-handle /mnt /tmp/handle.file)" "by its handle" "a handle"
must umount /mnt
must mount_pool /mnt noatime
same "$(torture by-handle /mnt /tmp/handle.file)" "by its handle" "a handle after a mount"
must rm /mnt/removed
same "$(torture by-handle /mnt /tmp/handle.removed)" "Stale file handle" "a removed file's handle"
for i in 1 2 3 4 5; do echo another >/mnt/another$i; done
same "$(torture by-handle /mnt /tmp/handle.removed)" "Stale file handle" "its handle with new files there"
same "$(cat /mnt/deep/deeper/file)" "by its handle" "the file by its name"

say "flags and projects"
touch /mnt/fixed
exec 9>>/mnt/fixed
must chattr +i /mnt/fixed
! echo more >&9 2>/dev/null || fail "an immutable file was written by who has it open"
exec 9>&-
! echo more 2>/dev/null >/mnt/fixed || fail "an immutable file was written"
must_fail rm -f /mnt/fixed 2>/dev/null
must_fail chattr +j /mnt/sparse 2>/dev/null
echo one >/mnt/log
must chattr +a /mnt/log
echo two >>/mnt/log || fail "appending to an append-only file"
must mkdir /mnt/project
must xfs_io -c "chproj 42" -c "chattr +P" /mnt/project
echo in >/mnt/project/file
same "$(xfs_io -r -c lsproj /mnt/project/file)" "projid = 42" "a new file's project"
must_fail ln /mnt/sparse /mnt/project/link 2>/dev/null
must umount /mnt
must mount_pool /mnt noatime
must_fail rm -f /mnt/fixed 2>/dev/null
same "$(lsattr /mnt/log | cut -c 6)" a "append-only after a mount"
must chattr -i /mnt/fixed
must rm /mnt/fixed
must chattr -a /mnt/log

say "shutting down ($(uptime_s) s)"
echo durable >/mnt/durable
echo lost >/mnt/lost
must xfs_io -c fsync /mnt/durable
echo lost >/mnt/lost2
must xfs_io -x -c shutdown /mnt
! touch /mnt/after 2>/dev/null || fail "a file was made after shutting down"
! { echo more >>/mnt/durable && xfs_io -c fsync /mnt/durable; } 2>/dev/null >&2 || fail "fsync succeeded after shutting down"
must umount /mnt
must mount_pool /mnt noatime
same "$(cat /mnt/durable)" durable "what was synced"
[ ! -e /mnt/lost2 ] || fail "what came after the last sync is there"
must xfs_io -x -c "shutdown -f" /mnt
must umount /mnt
must mount_pool /mnt
must umount /mnt
must check_pool
