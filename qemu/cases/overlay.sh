# Overlayfs with lcpfs as its upper layer: files removed, renamed, changed and made over a lower one, whiteouts and opaque
# directories, after a mount of all and after the power has gone; nothing that overlayfs misses.
# disks: 2x256M
# boots: 2
# modules: overlay
# timeout: 120
# kernels: 6.12 6.1
mount_all() {
	must mount_pool /mnt "$@"
	mkdir -p /lower /merged
	must mount -t tmpfs none /lower
	mkdir -p /lower/directory/below /lower/gone /lower/moved
	for i in 1 2 3 4 5; do echo "lower $i" >/lower/file$i; echo "below $i" >/lower/directory/below/$i; done
	echo in >/lower/gone/file
	echo in >/lower/moved/file
	mkdir -p /mnt/upper /mnt/work
	must mount -t overlay -o lowerdir=/lower,upperdir=/mnt/upper,workdir=/mnt/work,redirect_dir=on overlay /merged
	! dmesg | grep -q 'overlay.*\(does not support\|missing\|failed\)' || fail "overlayfs misses something: $(dmesg | grep overlay)"
}
look() {
	cd /merged
	same "$(ls | tr '\n' ' ')" "directory file1 file3 file4 gone new renamed target " "names"
	same "$(cat file1 file3 file4 renamed new)" "changed
lower 3
lower 4
lower 5
new" "contents"
	same "$(ls gone)" "other" "a directory made anew"
	same "$(ls directory/below | tr '\n' ' ')" "1 3 4 5 " "names below"
	same "$(cat target/file)" in "in a renamed directory"
	same "$(stat -c '%F %t:%T' /mnt/upper/file2)" "character special file 0:0" "a whiteout"
	same "$(stat -c '%F %t:%T' /mnt/upper/file5)" "character special file 0:0" "a whiteout that a renaming left"
	cd /
}
case $STAGE in
1)
	must make_pool
	mount_all txg_interval=30
	cd /merged
	echo changed >file1 || fail "changing a file"
	must rm file2
	must mv file5 renamed
	must rm -r gone
	must mkdir gone
	touch gone/other
	must rm directory/below/2
	must mv moved target
	echo new >new
	look
	must umount /merged
	must umount /lower
	must umount /mnt
	must check_pool
	mount_all txg_interval=30
	look
	cd /merged
	must mv file3 elsewhere
	must mv elsewhere file3
	must dd if=/dev/null of=/mnt/upper/new conv=notrunc,fsync 2>/dev/null
	kill_machine
	;;
2)
	mount_all
	look
	must umount /merged
	must umount /mnt
	must check_pool
	;;
esac
