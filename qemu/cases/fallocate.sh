# Preallocation: what it looks like, and what it is for: on a pool without any room what was preallocated can be written, by every
# way there is, with the machine killed afterwards. And unsharing.
# disks: 2x64M
# cpus: 2
# boots: 2
# programs: xfs_io filefrag cmp build/test/torture
# packages: xfsprogs e2fsprogs diffutils
# timeout: 400
# kernels: 6.12 6.1

unwritten() { filefrag -v $1 | grep -c unwritten; }
shared() { filefrag -v $1 | grep -c shared; }
blocks() { stat -c '%s %b' $1; }
# bytes_of FILE COUNT: the first byte of every 64 KiB.
bytes_of() {
	i=0
	while [ $i -lt $2 ]; do
		dd if=$1 bs=64k skip=$i count=1 2>/dev/null | head -c 1 | od -An -tx1
		i=$((i + 1))
	done | tr -d ' \n'
}

looks() {
	say "what it looks like"
	must xfs_io -f -c "falloc -k 0 1m" /mnt/a
	same "$(blocks /mnt/a)" "0 2048" "size and blocks of a file preallocated behind its end"
	[ $(unwritten /mnt/a) -ge 1 ] || fail "filefrag knows no unwritten extent"
	must xfs_io -c "pwrite -q -S 7 64k 64k" -c fsync /mnt/a
	same "$(blocks /mnt/a)" "131072 2048" "size and blocks with some of it written"
	same "$(bytes_of /mnt/a 2)" 0007 "its bytes"
	same "$(xfs_io -r -c 'seek -a -r 0' /mnt/a | awk 'NR > 1 { print $1 $2 }' | tr '\n' ' ')" "HOLE0 DATA65536 HOLE131072 " "its holes"
	must xfs_io -c "fpunch 256k 64k" /mnt/a
	same "$(blocks /mnt/a)" "131072 1920" "blocks with a hole behind the end"
	must truncate -s 131072 /mnt/a
	same "$(blocks /mnt/a)" "131072 256" "blocks of a file cut to its size"
	must xfs_io -c "falloc 0 1m" -c "fzero 64k 32k" -c "fzero -k 2m 64k" /mnt/a
	same "$(blocks /mnt/a)" "1048576 2176" "blocks with some zeroed"
	same "$(bytes_of /mnt/a 3)" 000000 "what was zeroed"
	xfs_io -c "falloc 0 1g" /mnt/a 2>&1 | grep -q 'No space' || fail "more than there is"
	same "$(blocks /mnt/a)" "1048576 2176" "nothing of it"
	printf tiny >/mnt/tiny
	must xfs_io -c "falloc -k 0 8k" /mnt/tiny
	same "$(cat /mnt/tiny) $(blocks /mnt/tiny)" "tiny 4 16" "a small file"
	must xfs_io -f -c "pwrite -q -S 5 0 256k" -c fsync /mnt/one
	must cp --reflink=always /mnt/one /mnt/two
	[ $(shared /mnt/two) -ge 1 ] || fail "nothing is shared"
	must xfs_io -c "funshare 0 300k" /mnt/two
	same "$(shared /mnt/two) $(blocks /mnt/two)" "0 307200 600" "shared extents of a file that was unshared, its size and blocks"
	must cmp -n 262144 /mnt/one /mnt/two
	rm /mnt/a /mnt/tiny /mnt/one /mnt/two
}

# The last size there is: rounding it up to a block is no size.
largest() {
	say "a file as large as can be"
	must xfs_io -f -c "pwrite -q -S 7 0 12k" -c fsync /mnt/large
	must truncate -s 9223372036854775807 /mnt/large
	must umount /mnt
	must mount_pool /mnt
	must xfs_io -c "pwrite -q -S 8 10 1" /mnt/large
	must sync
	same "$(head -c 12 /mnt/large | od -An -tx1 | tr -d ' \n')" 070707070707070707070807 "its first bytes after one was written"
	must xfs_io -c "fpunch 4k 9223372036854771711" /mnt/large
	head -c 8200 /mnt/large | tail -c +4089 | od -An -v -tx1 | tr -d ' \n' | tr -s 0 >/tmp/bytes
	same "$(cat /tmp/bytes)" 07070707070707070 "its bytes with all but the first block punched"
	same "$(blocks /mnt/large)" "9223372036854775807 8" "and its blocks"
	must xfs_io -c "fzero -k 0 9223372036854775807" /mnt/large
	same "$(head -c 100 /mnt/large | tr -d '\000' | wc -c)" 0 "what is left of it when all is zeroed"
	rm /mnt/large
}

if [ "$STAGE" = 1 ]; then
	must make_pool
	must mount_pool /mnt
	looks
	largest
	say "a full pool"
	for f in buffered direct mapped synchronous; do must xfs_io -f -c "falloc 0 4m" /mnt/$f; done
	must xfs_io -f -c "falloc 0 4m" /mnt/patches
	stores=
	for i in $(seq 0 63); do
		must xfs_io -c "pwrite -q -S 5 $((i * 64))k 4k" /mnt/patches
		stores="$stores -c 'mwrite -S 5 $((i * 64 + 4))k 60k'"
	done
	sync
	dd if=/dev/zero of=/mnt/filler bs=64k 2>/tmp/error
	dd if=/dev/zero of=/mnt/filler2 bs=4k 2>/tmp/error
	grep -q "No space" /tmp/error || fail "it does not get full: $(cat /tmp/error)"
	sync
	xfs_io -f -c "pwrite -q 0 1m" -c fsync /mnt/more >/tmp/error 2>&1
	grep -q "No space" /tmp/error || fail "there is room: $(cat /tmp/error)"
	must xfs_io -c "pwrite -q -S 1 -b 4k -B 4m 4m" -c fsync /mnt/buffered
	must xfs_io -d -c "pwrite -q -S 2 -b 64k 0 4m" /mnt/direct
	must xfs_io -c "mmap -rw 0 4m" -c "mwrite -S 3 0 4m" -c "msync -s 0 4m" /mnt/mapped
	# Cached in large folios, none of which is preallocated as a whole.
	echo 3 >/proc/sys/vm/drop_caches
	must dd if=/mnt/patches of=/dev/null bs=1M 2>/dev/null
	eval must xfs_io -c "'mmap -rw 0 4m'" $stores -c "'msync -s 0 4m'" /mnt/patches
	must xfs_io -s -c "pwrite -q -S 4 -b 4k 0 256k" -c "pwrite -q -S 4 -b 32k 256k 3840k" /mnt/synchronous
	for f in buffered direct mapped patches; do must xfs_io -c fsync /mnt/$f; done
	must truncate -s -1M /mnt/filler
	sync
	say "a direct write before what is in front of it"
	must xfs_io -f -c "pwrite -q -S 9 0 64k" /mnt/front
	must xfs_io -d -s -c "pwrite -q -S 9 -b 4k 48k 4k" /mnt/front
	kill_machine 0
	await_death
else
	must mount_pool /mnt
	same "$(tr -d '\011' </mnt/front | wc -c)" 0 "bytes of the file that was written directly that are not right"
	[ $(stat -c %s /mnt/front) -ge 53248 ] || fail "it is $(stat -c %s /mnt/front) bytes long"
	n=1
	for f in buffered direct mapped synchronous patches; do
		same "$(tr -d "\\00$n" </mnt/$f | wc -c) $(stat -c %s /mnt/$f) $(unwritten /mnt/$f)" "0 4194304 0" "what was written to $f"
		n=$((n + 1))
	done
	rm /mnt/filler*
	must umount /mnt
	must check_pool
fi
