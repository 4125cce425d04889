# Clones: files and parts of files that share their blocks, made, compared, overwritten and removed one by one; the space they take;
# deduplication; refusals; what was synced over a kill; the same calls refused on another dataset.
# disks: 2x192M
# boots: 2
# kernels: 6.12 6.1
# programs: xfs_io filefrag cp cmp sync stat
# packages: xfsprogs e2fsprogs coreutils diffutils
# timeout: 200
used_kib() { sync -f /mnt; df -Pk /mnt | awk 'NR == 2 { print $3 }'; }
sum() { sha256sum <"$1" | cut -c1-16; }
# shared FILE: extents told to be shared.
shared() { filefrag -v "$1" | grep -c shared; }

if [ "$STAGE" = 1 ]; then
	must make_pool
	must mount_pool /mnt
	say "a whole file"
	dd if=/dev/urandom of=/mnt/a bs=1M count=40 2>/dev/null
	echo tail >>/mnt/a
	before=$(used_kib)
	must cp --reflink=always /mnt/a /mnt/b
	same "$(sum /mnt/b)" "$(sum /mnt/a)" "a clone"
	more=$(($(used_kib) - before))
	[ "$more" -le 512 ] || fail "a clone of 40 MiB took $more KiB"
	[ "$(shared /mnt/b)" -ge 1 ] || fail "no extent of a clone is shared: $(filefrag -v /mnt/b)"
	a=$(sum /mnt/a)
	say "written apart (took $more KiB)"
	must xfs_io -c "pwrite -q -S 7 1m 64k" -c "pwrite -q -S 8 20000001 12345" /mnt/b
	same "$(sum /mnt/a)" "$a" "the original"
	must_fail cmp -s /mnt/a /mnt/b
	sync -f /mnt; echo 3 >/proc/sys/vm/drop_caches
	same "$(sum /mnt/a)" "$a" "the original, read again"
	b=$(sum /mnt/b)

	say "parts, within a file and past its end"
	must xfs_io -c "reflink /mnt/a 4m 45m 2m" /mnt/a
	must xfs_io -f -c "reflink /mnt/a 0 1m 8m" /mnt/c
	cmp -n 8388608 -i 0:1048576 /mnt/a /mnt/c || fail "a part"
	cmp -n 2097152 -i 4194304:47185920 /mnt/a /mnt/a || fail "a part within a file"
	same "$(stat -c %s /mnt/c)" $((9 << 20)) "size"
	same "$(head -c 1048576 /mnt/c | tr -d '\0' | wc -c)" 0 "what was never written"
	printf small >/mnt/small
	must cp --reflink=always /mnt/small /mnt/small2
	same "$(cat /mnt/small2)" small "a file in its record"

	say "the same twice"
	dd if=/dev/zero bs=64k count=32 2>/dev/null | tr '\0' x >/mnt/x
	cp --reflink=never /mnt/x /mnt/y
	before=$(used_kib)
	must xfs_io -c "dedupe /mnt/x 0 0 2m" /mnt/y >/dev/null
	freed=$((before - $(used_kib)))
	[ "$freed" -ge 1536 ] || fail "deduplication of 2 MiB gave $freed KiB back"
	cmp /mnt/x /mnt/y || fail "deduplicated files differ"
	xfs_io -c "dedupe /mnt/a 0 0 1m" /mnt/x 2>&1 | grep -q "did not match" || fail "what differs was made the same"

	say "refused"
	for range in "1000 0 4096" "0 1000 4096" "0 0 1000"; do
		xfs_io -c "reflink /mnt/a $range" /mnt/c 2>&1 | grep -q 'Invalid argument' || fail "unaligned: $range"
	done
	xfs_io -c "reflink /mnt/a 0 4096 8192" /mnt/a 2>&1 | grep -q 'Invalid argument' || fail "onto itself"
	must lcpfs dataset create other
	mkdir -p /other && must mount -i -t lcpfs -o device=/dev/vdb,dataset=other /dev/vda /other
	must_fail cp --reflink=always /mnt/a /other/a 2>/dev/null
	must cp --reflink=auto /mnt/small /other/small
	must umount /other

	say "one by one"
	rm /mnt/a
	sync -f /mnt; echo 3 >/proc/sys/vm/drop_caches
	same "$(sum /mnt/b)" "$b" "the clone of what is gone"
	must xfs_io -c "truncate 3m" /mnt/c
	must umount /mnt
	must check_pool
	must mount_pool /mnt txg_interval=30
	same "$(sum /mnt/b)" "$b" "the clone after a mount"
	must cp --reflink=always /mnt/b /mnt/kept
	must xfs_io -c "pwrite -q -S 9 5m 4k" -c fsync /mnt/kept
	echo "$(sum /mnt/kept) $b" >/mnt/sums
	must xfs_io -c fsync /mnt/sums
	say "synced"
	kill_machine
else
	must mount_pool /mnt
	read -r kept b </mnt/sums
	same "$(sum /mnt/kept)" "$kept" "a clone that was synced"
	same "$(sum /mnt/b)" "$b" "what it was cloned from"
	full=$(used_kib)
	rm /mnt/b /mnt/kept /mnt/c
	left=$(used_kib)
	[ $((full - left)) -ge 40000 ] || fail "removing all clones gave $((full - left)) KiB back"
	must umount /mnt
	must check_pool
	say "all gave $((full - left)) KiB back"
fi
