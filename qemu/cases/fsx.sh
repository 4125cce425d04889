# Threads on one file, through the page cache, mappings and past them, with everything that moves, frees or shares blocks between: every
# byte is what the last one who wrote it wrote; then the same after a mount. Every second file is compressed; with `--set COMPRESSION=zstd`
# all of them are.
# disks: 2x192M
# programs: chattr build/test/torture
# packages: e2fsprogs
# timeout: 400
# kernels: 6.12 6.1 debug
# environment: OPERATIONS=15000 THREADS=4 SEED=1 FILES=2 COMPRESSION=

[ "$KERNEL" != debug ] || OPERATIONS=$((OPERATIONS / 20))
must make_pool
must mount_pool /mnt txg_interval=1${COMPRESSION:+,compression=$COMPRESSION}
i=1
while [ $i -le $FILES ]; do
	must mkdir /mnt/$i
	[ $((i % 2)) = 1 ] || must chattr +c /mnt/$i
	torture fsx /mnt/$i/file $THREADS $OPERATIONS $((SEED + i)) >/tmp/out.$i 2>&1 &
	i=$((i + 1))
done
wait
cat /tmp/out.*
same "$(cat /tmp/out.* | grep -c 'all as it should be')" $FILES "files as they should be"
sums=$(sha256sum /mnt/*/file*)
must umount /mnt
must check_pool
must mount_pool /mnt
same "$(sha256sum /mnt/*/file*)" "$sums" "the files after a mount"
must rm /mnt/*/file*
must umount /mnt
must check_pool
