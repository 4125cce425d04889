# dpkg installing, installing over, removing and verifying packages on a pool.
# disks: 2x128M
# programs: dpkg dpkg-deb dpkg-query dpkg-split tar
# packages: dpkg tar
# timeout: 400
# kernels: 6.12
export HOME=/tmp

must make_pool
must mount_pool /mnt
mkdir -p /mnt/root/var/lib/dpkg/info /mnt/root/var/lib/dpkg/updates /mnt/root/var/lib/dpkg/triggers /mnt/root/tmp
: >/mnt/root/var/lib/dpkg/status
install() { dpkg --root=/mnt/root --log=/tmp/dpkg.log --force-depends --force-bad-path --force-script-chrootless "$@" \
	>/tmp/dpkg.out 2>&1 || { cat /tmp/dpkg.out; fail "dpkg $*"; }; }
# build NAME VERSION FILES: a package of so many files and a link.
build() {
	tree=/tmp/build/$1
	rm -rf $tree
	mkdir -p $tree/DEBIAN $tree/usr/share/$1/deep/er
	printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: a <a@b>\nDescription: files\n' $1 $2 >$tree/DEBIAN/control
	i=0
	while [ $i -lt $3 ]; do
		seq $i $((i * 7 + $3)) >$tree/usr/share/$1/deep/er/file$i
		i=$((i + 1))
	done
	ln -s deep/er/file0 $tree/usr/share/$1/link
	(cd $tree && find usr -type f -exec md5sum {} +) >$tree/DEBIAN/md5sums
	must /usr/local/bin/dpkg-deb --build --root-owner-group -Znone $tree /tmp/$1_$2.deb >/dev/null
}
build one 1 120
build two 1 40
build three 1 5
install --install /tmp/one_1.deb /tmp/two_1.deb /tmp/three_1.deb
build one 2 150
build two 2 10
install --install /tmp/one_2.deb /tmp/two_2.deb
same "$(ls /mnt/root/usr/share/two/deep/er | wc -l)" 10 "files of a package that has fewer now"
install --remove three
[ ! -e /mnt/root/usr/share/three ] || fail "a removed package is there"
install --install /tmp/three_1.deb
same "$(dpkg --root=/mnt/root --verify 2>&1 | head -3)" "" "what dpkg --verify finds"
same "$(dpkg --root=/mnt/root --list 2>/dev/null | grep -c '^ii')" 3 "packages installed"
must umount /mnt
must check_pool
must mount_pool /mnt
same "$(dpkg --root=/mnt/root --verify 2>&1 | head -3)" "" "what dpkg --verify finds after a mount"
