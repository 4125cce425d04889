# The demo: a real source tree of 20,000 files on two disks, compared file by file before and after
# a remount; then the machine is killed outright while the tree is being written again, and what
# was synced before must be there.
# disks: 2x1G
# boots: 2
# payload: tree
# debug-payload: part
# programs: e2fsck
# timeout: 900
# kernels: 6.12 6.1 debug
SRC=/tmp/payload

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
	say "all $(cat "$1/count") files in $1 have the original's sha256 ($(uptime_s) s)"
}

if [ "$STAGE" = 1 ]; then
	must make_pool
	must mount_pool /mnt
	say "mounted $(grep ' /mnt ' /proc/mounts)"
	must unpack /mnt/first
	say "unpacked ($(uptime_s) s)"
	compare /mnt/first
	df -h /mnt
	must umount /mnt
	must check_pool
	say "the check is clean ($(uptime_s) s)"
	must mount_pool /mnt
	compare /mnt/first
	say "writing the tree again; the machine is killed while that goes on"
	must mkdir /mnt/second
	echo "synced before the kill" >/mnt/second/word
	must sync
	echo "--- after this line comes the kill"
	kill_machine ${KILL_AFTER:-8}
	while :; do
		unpack /mnt/second || fail "unpacking the second time"
		mkdir -p /mnt/more
		mv /mnt/second/src /mnt/more/$(uptime_s)
	done
fi

say "next boot: mount, compare, check"
must mount_pool /mnt
dmesg | grep -i "$FS" | tail -n 3
same "$(cat /mnt/second/word)" "synced before the kill" "the word synced last"
compare /mnt/first
say "left of the second tree: $(find /mnt/second /mnt/more -type f 2>/dev/null | wc -l) files"
# What is there of it has to be readable, whatever it is.
must find /mnt/second -type f -exec cat {} + >/dev/null
must rm -rf /mnt/second /mnt/more
must umount /mnt
must check_pool
say "the check is clean after the kill ($(uptime_s) s)"
