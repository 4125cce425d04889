# Mutated images: a pool with something of everything, changed at random (half of the changes behind right
# checksums), mounted read-write, walked, written to, unmounted. Anything may be refused or missing; nothing may crash,
# hang, leak or upset the kernel's checkers, and a mount that fails says why. `make sim` does ten thousand in a process;
# here a share of 300: make guest CASE=mutated KERNEL=debug ARGS="--set IMAGES=300 --patience 3".
# disks: 1x16M
# memory: 768
# programs: build/test/guestkit
# environment: IMAGES=30 FIRST=1
# timeout: 500
# kernels: debug
DISK=/dev/vda

# fill DIRECTORY: something of everything.
fill() {
	cd $1 || fail "cd $1"
	mkdir -p a/b/c many
	for i in $(seq 1 120); do
		echo "file $i" >many/a-name-to-fill-the-nodes-of-a-directory-with-$i
	done
	for i in 1 2 3 4; do
		dd if=/dev/urandom of=a/file$i bs=4k count=$((i * 20)) 2>/dev/null
	done
	# Holes and extents in turn, so that a file has a tree of its own.
	for i in $(seq 0 2 160); do
		dd if=/dev/urandom of=a/b/holes bs=4k seek=$i count=1 conv=notrunc 2>/dev/null
	done
	ln -s many/target a/link
	ln -s $(printf '%03000d' 7) a/long-link
	ln a/file1 a/b/c/hard
	mkfifo a/fifo
	mknod a/null c 1 3
	sync
	rm many/*7
	mv a/file2 a/b/moved
	cd /
}

must mkfs.lcpfs -q -f $DISK
must mount -i -t lcpfs $DISK /mnt
fill /mnt
must umount /mnt
must fsck.lcpfs -n $DISK
say "$(guestkit nodes $DISK | wc -l) nodes in $(guestkit nodes $DISK | cut -d' ' -f1,2 | sort -u | wc -l) trees"
must cp --sparse=always $DISK /tmp/pristine

mounted=0 refused=0
for seed in $(seq $FIRST $((FIRST + IMAGES - 1))); do
	must guestkit mutate $seed /tmp/pristine $DISK
	echo "lcpfs-mutated: image $seed" >/dev/kmsg
	dmesg -c >/dev/null
	if mount -i -t lcpfs $DISK /mnt 2>/dev/null; then
		mounted=$((mounted + 1))
		ls -lR /mnt >/dev/null 2>&1
		# Not those whose size was changed to something that takes days to read.
		find /mnt -type f -size -20000k -exec cat {} + >/dev/null 2>&1
		# What was not found by looking may be found by changing.
		[ $((seed % 2)) = 0 ] || {
			echo new >/mnt/new
			mkdir /mnt/many/new-directory
			echo more >>/mnt/a/file1
			mv /mnt/a/b/moved /mnt/moved-again
			rm -rf /mnt/many
			sync
		} >/dev/null 2>&1
		must umount /mnt
	else
		refused=$((refused + 1))
		dmesg | grep -q '] lcpfs[: ]' || fail "image $seed: refused without a word"
	fi
	[ $((seed % 25)) != 0 ] || say "$seed: $mounted mounted, $refused refused ($(uptime_s) s)"
done
[ $mounted -gt $((IMAGES / 4)) ] || fail "only $mounted of $IMAGES images could be mounted: that shows little"
say "$IMAGES images: $mounted mounted, $refused refused, none did harm"
