# The shortest way through everything: mkfs on two disks, mount, write, read, unmount, check, mount.
# disks: 2x256M
# programs: e2fsck
# timeout: 120
must make_pool
must mount_pool /mnt
echo hello >/mnt/a || fail "write"
dd if=/dev/urandom of=/mnt/b bs=64k count=100 2>/dev/null || fail "write 6.4 MB"
must mkdir -p /mnt/d/e/f
must ln -s a /mnt/link
must ln /mnt/a /mnt/d/hard
must mv /mnt/b /mnt/d/e/f/b
sum=$(sha256sum </mnt/d/e/f/b)
same "$(cat /mnt/link)" hello "through the symlink"
must sync
must umount /mnt
must check_pool
must mount_pool /mnt
same "$(cat /mnt/d/hard)" hello "hard link after remount"
same "$(sha256sum </mnt/d/e/f/b)" "$sum" "6.4 MB after remount"
must rm -r /mnt/d
must_fail test -e /mnt/d
same "$(ls /mnt | grep -v lost+found | tr '\n' ' ')" "a link " "directory after rm"
must umount /mnt
must check_pool
