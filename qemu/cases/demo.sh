# The demo: a real source tree of 20,000 files on two disks, compared file by file before and after
# a remount; then the machine is killed outright while the tree is being written again, and what
# was synced before must be there.
# disks: 2x1G
# boots: 2
# payload: tree
# debug-payload: part
# programs: e2fsck
# timeout: 900
# kernels: 6.12 6.1

# unpack DIRECTORY: the tree into it.
unpack() {
	mkdir -p "$1" && tar -xf /dev/payload -C "$1"
}
# compare DIRECTORY: every file's sha256 with the original's.
compare() {
	(cd "$1/src" && sha256sum -c ../sha256 >/tmp/sums 2>&1) || {
		grep -v ': OK$' /tmp/sums | head -n 5
		fail "$1 differs from the original"
	}
	same "$(grep -c ': OK$' /tmp/sums)" "$(cat "$1/count")" "files compared in $1"
	say "all $(cat "$1/count") files in $1 have the original's sha256"
}

if [ "$STAGE" = 1 ]; then
	say "kernel $(uname -r); mkfs.lcpfs $DISKS:"
	must make_pool
	[ $FS != lcpfs ] || must lcpfs status
	must mount_pool /mnt
	say "mounted: $(grep ' /mnt ' /proc/mounts)"
	say "unpacking a tree of kernel headers"
	must unpack /mnt/first
	say "unpacked $(cat /mnt/first/count) files, $(du -sm /mnt/first | cut -f1) MiB; reading all of them back"
	compare /mnt/first
	df -h /mnt
	must umount /mnt
	say "unmounted; fsck.lcpfs -n:"
	must check_pool
	must mount_pool /mnt
	say "mounted again, nothing of it in memory; reading all files back once more"
	compare /mnt/first
	say "writing the same tree a second time; the virtual machine is killed outright while that goes on"
	must mkdir /mnt/second
	echo "synced before the kill" >/mnt/second/word
	must sync
	say "one word was written and synced before; the kill comes in ${KILL_AFTER:-8} s"
	kill_machine ${KILL_AFTER:-8}
	while :; do
		unpack /mnt/second || fail "unpacking the second time"
		mkdir -p /mnt/more
		mv /mnt/second/src /mnt/more/$(uptime_s)
	done
fi

say "the next boot, with the disks as the kill left them; fsck.lcpfs -n:"
must check_pool
must mount_pool /mnt
dmesg | grep -i "$FS (" | tail -n 3
same "$(cat /mnt/second/word)" "synced before the kill" "the word synced last"
say "the word synced before the kill is there; reading the first tree back"
compare /mnt/first
say "left of the second tree: $(find /mnt/second /mnt/more -type f 2>/dev/null | wc -l) files"
# What is there of it has to be readable, whatever it is.
must find /mnt/second -type f -exec cat {} + >/dev/null
must rm -rf /mnt/second /mnt/more
say "all of that can be read; removed, unmounted; fsck.lcpfs -n:"
must umount /mnt
must check_pool
