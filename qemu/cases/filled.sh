# mkfs.lcpfs -d: a pool filled from a folder is that folder: contents, holes, owners, modes, times, links, device nodes, attributes and
# ACLs. What does not fit, or cannot be read, is said, with exit status 1.
# disks: 2x64M 256M
# programs: getfattr setfattr setfacl getfacl cmp
# packages: attr acl diffutils
# timeout: 200
# kernels: 6.12

# described: everything about a tree but its inode numbers.
described() {
	(cd "$1" && find . ! -type d -exec stat -c '%n %F %a %u %g %h %s %Y %t %T %N' {} + | sort
	find . -type d -exec stat -c '%n %F %a %u %g %h %Y' {} + | sort
	find . -type f -exec sha256sum {} + | sort -k 2
	find . | sort | while read -r path; do
		getfattr -h -d -m - "$path" 2>/dev/null | grep -v '^$'
		[ -L "$path" ] || getfacl -n "$path" 2>/dev/null
	done)
}

set -- $DISKS
modprobe ext4
must mkfs.ext4 -q -F /dev/vdc >/dev/null
mkdir -p /from
must mount -t ext4 /dev/vdc /from
say "a folder of everything"
mkdir -p /from/dir/deep /from/empty
for i in $(seq 100); do echo "file $i" >/from/dir/file-$i; done
dd if=/dev/urandom of=/from/dir/deep/large bs=4k count=1500 2>/dev/null
printf 'odd' >/from/odd
for at in 0 700 701 3000; do dd if=/dev/urandom of=/from/sparse bs=4k seek=$at count=1 conv=notrunc 2>/dev/null; done
truncate -s 30000001 /from/sparse
: >/from/nothing
ln /from/odd /from/dir/second-name
ln -s ../odd /from/dir/link
ln -s "$(printf '%0200d' 7)" /from/long-link
mkfifo /from/pipe
mknod /from/null c 1 3
mknod /from/disk b 259 70000
chown 1000:2000 /from/odd /from/dir
chmod 2751 /from/dir
chmod 4711 /from/nothing
touch -d '2001-02-03 04:05:06' /from/odd
touch -h -d '2011-02-03 04:05:06' /from/dir/link
setfattr -n user.colour -v blue /from/odd
setfattr -n trusted.thing -v 0x00ff /from/dir
setfattr -n user.much -v "$(printf '%03000d' 5)" /from/sparse
setfacl -m u:1234:rw,g:55:r /from/odd
setfacl -d -m u:77:rwx /from/dir/deep
touch -d '2003-03-03 03:03:03' /from/dir
rmdir /from/lost+found
described /from >/tmp/from

must mkfs.lcpfs -q -f -d /from /dev/vda
must fsck.lcpfs -n --data /dev/vda
mkdir -p /mnt
must mount -t lcpfs /dev/vda /mnt
described /mnt >/tmp/mnt
cmp /tmp/from /tmp/mnt || { diff /tmp/from /tmp/mnt | head -20 >/dev/console; fail "the pool is not the folder"; }
[ $(stat -c %b /mnt/sparse) -le 40 ] || fail "a sparse file takes $(stat -c %b /mnt/sparse) sectors"
same "$(stat -c %i /mnt/odd)" "$(stat -c %i /mnt/dir/second-name)" "two names of one file"
must touch /mnt/dir/more
must umount /mnt

say "what does not fit or is not there"
dd if=/dev/urandom of=/from/dir/huge bs=1M count=90 2>/dev/null
mkfs.lcpfs -q -f -d /from /dev/vda 2>/tmp/said
same $? 1 "too much"
grep -q "huge: No space left" /tmp/said || fail "$(cat /tmp/said)"
must fsck.lcpfs -n /dev/vda >/dev/null
mkfs.lcpfs -q -f -d /nowhere /dev/vdb 2>/tmp/said
same $? 1 "no folder"
lcpfs scan -n /dev/vdb >/dev/null 2>&1 && fail "a pool was made all the same"
must umount /from
