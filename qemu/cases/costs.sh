# What things cost: device writes, sectors and flushes of one sync after one changed block, of ten thousand new files
# and of a gigabyte in sequence, and the metadata of a gigabyte; other filesystems beside it on the same kind of disk.
# Fails when lcpfs costs half again as much as when the bounds were set, for 10,000 files and 1,024 MiB.
# disks: 1x2560M 1x2560M 1x2560M
# memory: 2048
# programs: e2fsck mkfs.xfs mkfs.btrfs
# packages: xfsprogs btrfs-progs
# modules: xfs btrfs
# timeout: 900
# kernels: 6.12
# environment: FILES=10000 MIB=1024

# counts DISK: writes, KiB written, flushes so far.
counts() { awk '{ print $5, $7 / 2, $16 }' /sys/block/$1/stat; }
# cost WHAT DISK: since `start DISK`.
start() { sync; sleep 1; sync; began=$(counts $1); began_s=$(cut -d' ' -f1 /proc/uptime); }
cost() {
	set -- "$1" $2 $began $(counts $2) $began_s $(cut -d' ' -f1 /proc/uptime)
	writes=$(($6 - $3)) kib=$(awk "BEGIN { print int($7 - $4) }") flushes=$(($8 - $5))
	seconds=$(awk "BEGIN { print ${10} - $9 }")
	printf '%-6s %-34s %8d writes %9d KiB %5d flushes %7.1f s\n' $name "$1" $writes $kib $flushes $seconds
}
# at_most WRITES KIB FLUSHES: of lcpfs. Every five seconds a group commits by itself, so a slow machine pays for more.
at_most() {
	[ $name = lcpfs ] || return 0
	groups=$(awk "BEGIN { print int($seconds / 5) }")
	set -- $(($1 + groups * 30)) $(($2 + groups * 700)) $(($3 + groups * 4))
	[ $writes -le $1 ] && [ $kib -le $2 ] && [ $flushes -le $3 ] ||
		fail "$writes writes, $kib KiB, $flushes flushes; the bounds are $1, $2, $3"
}
used_kib() { sync; sync; stat -f -c '%b %f %S' /mnt | awk '{ printf "%d", ($1 - $2) * $3 / 1024 }'; }

# measure NAME DISK: on /mnt.
measure() {
	name=$1
	dd if=/dev/zero of=/mnt/file bs=1M count=1 2>/dev/null
	sync
	start $2
	dd if=/dev/urandom of=/mnt/file bs=4k seek=77 count=1 conv=notrunc 2>/dev/null
	sync
	cost "one changed block, sync" $2
	at_most 18 170 5

	start $2
	mkdir /mnt/many
	n=0
	while [ $n -lt $FILES ]; do
		echo "file $n" >/mnt/many/file-$n || fail "file $n"
		n=$((n + 1))
	done
	sync
	cost "$FILES files, sync" $2
	at_most 800 12800 9

	before=$(used_kib)
	start $2
	dd if=/dev/zero of=/mnt/large bs=1M count=$MIB 2>/dev/null || fail "writing $MIB MiB"
	sync
	cost "$MIB MiB in sequence, sync" $2
	at_most 2300 1056000 9
	metadata=$(($(used_kib) - before - MIB * 1024))
	printf '%-6s %-34s %8d KiB of metadata\n' $name "$MIB MiB" $metadata
	[ $name != lcpfs ] || [ $metadata -le 3700 ] || fail "$metadata KiB of metadata"
	umount /mnt
}

modprobe ext4; modprobe xfs; modprobe btrfs
must mkfs.lcpfs -q -f /dev/vda
must mount -i -t lcpfs /dev/vda /mnt
measure lcpfs vda
must fsck.lcpfs -n /dev/vda
must mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 /dev/vdb
must mount -t ext4 /dev/vdb /mnt
measure ext4 vdb
must mkfs.xfs -q -f /dev/vdc
must mount -t xfs /dev/vdc /mnt
measure xfs vdc
must mkfs.btrfs -q -f /dev/vdb
must mount -t btrfs /dev/vdb /mnt
measure btrfs vdb
