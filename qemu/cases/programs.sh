# What people run on a filesystem, each ending in its own check: git (commits, gc, a clone, fsck), rsync and tar with everything a file
# has, a loop device with a filesystem of its own, and sqlite killed with the machine: its
# transactions are whole, and those it said were durable are there.
# disks: 2x512M 1x64M
# boots: 2
# kernels: 6.12
# programs: git git-upload-pack sqlite3 rsync tar mkfs.ext4 e2fsck losetup mount cmp setfattr getfattr setfacl getfacl
# packages: git sqlite3 rsync tar e2fsprogs diffutils attr acl util-linux
# modules: loop ext4
# memory: 1024
# timeout: 400
# environment: FILES=400
export HOME=/tmp GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_TEMPLATE_DIR=/none
export GIT_CONFIG_NOSYSTEM=1

# files DIRECTORY NUMBER: small ones in a tree, different for each number.
files() {
	i=0
	while [ $i -lt $FILES ]; do
		mkdir -p "$1/d$((i % 20))/e$((i % 7))"
		seq $((i + $2)) $((i * 2 + $2 + 40)) >"$1/d$((i % 20))/e$((i % 7))/f$i"
		i=$((i + 1))
	done
}

try_git() {
	say "git"
	must git init -q /mnt/repo 2>/dev/null
	for round in 1 2 3; do
		files /mnt/repo $round
		must git -C /mnt/repo add -A
		must git -C /mnt/repo commit -q -m "round $round"
	done
	must git -C /mnt/repo mv d1 moved
	must git -C /mnt/repo commit -q -m moved
	must git -C /mnt/repo gc -q
	must git clone -q --no-local /mnt/repo /mnt/copy
	for of in repo copy; do
		must git -C /mnt/$of fsck --strict --no-progress
		same "$(git -C /mnt/$of status --porcelain | wc -l)" 0 "changes in $of"
		same "$(git -C /mnt/$of rev-list --count HEAD)" 4 "commits in $of"
	done
}

try_copies() {
	say "rsync and tar"
	mkdir /mnt/all
	files /mnt/all/tree 9
	dd if=/dev/zero of=/mnt/all/sparse bs=1 count=1 seek=30000000 2>/dev/null
	ln /mnt/all/sparse /mnt/all/again
	ln -s nowhere /mnt/all/symlink
	for i in 1 2 3; do echo "too small for a block of its own $i" >/mnt/all/small$i; done
	sync
	mkfifo /mnt/all/pipe
	mknod /mnt/all/device c 1 3
	setfattr -n user.note -v "$(seq 300)" /mnt/all/tree/d1 && setfattr -n user.small -v x /mnt/all/sparse || fail "attributes"
	must setfacl -m u:7:rw,g:9:r /mnt/all/sparse
	must setfacl -d -m u:7:rwx /mnt/all/tree
	touch -d '1999-02-03 04:05:06' /mnt/all/tree/d2
	must rsync -aHAXS /mnt/all/ /mnt/rsynced
	same "$(rsync -aHAXSnic --delete /mnt/all/ /mnt/rsynced | head -3)" "" "what rsync would still do"
	mkdir /mnt/untarred
	tar -C /mnt/all --xattrs --acls -cSf - . >/mnt/tar || fail tar
	must tar -C /mnt/untarred --xattrs --acls -xSf /mnt/tar
	same "$(rsync -aHAXSnic --delete /mnt/all/ /mnt/untarred | head -3)" "" "what differs from what tar unpacked"
	must cmp /mnt/all/small2 /mnt/untarred/small2
	same "$(stat -c %b /mnt/untarred/sparse)" "$(stat -c %b /mnt/all/sparse)" "blocks of a sparse file"
}

try_loop() {
	say "a filesystem in a file"
	modprobe loop 2>/dev/null
	modprobe ext4 2>/dev/null || { say "(no ext4 in this kernel)"; return; }
	truncate -s 100M /mnt/image
	must mkfs.ext4 -q -F /mnt/image
	must mkdir -p /loop
	must mount -o loop /mnt/image /loop
	files /loop/tree 5
	dd if=/dev/urandom of=/loop/big bs=1M count=20 2>/dev/null
	sum=$(sha256sum /loop/big)
	must umount /loop
	must e2fsck -fn /mnt/image >/dev/null 2>&1
	echo 3 >/proc/sys/vm/drop_caches
	must mount -o loop /mnt/image /loop
	same "$(sha256sum /loop/big)" "$sum" "a file in the image"
	must umount /loop
}

# Rows until the end, each in a transaction, each then noted on another disk. (FULL does not sync the removal of the journal that ends one.)
insert() {
	n=0
	while :; do
		n=$((n + 1))
		sqlite3 "/mnt/$1.db" "PRAGMA synchronous=EXTRA; BEGIN; INSERT INTO t VALUES($n, hex(randomblob(500)));
			UPDATE total SET n = n + 1; COMMIT;" >/dev/null || fail "sqlite3"
		echo $n >"/witness/$1.new" && sync "/witness/$1.new" && mv "/witness/$1.new" "/witness/$1" && sync -f /witness
	done
}

modprobe ext4 2>/dev/null
if [ "$STAGE" = 1 ]; then
	must make_pool
	must mount_pool /mnt
	try_git
	try_copies
	try_loop
	must umount /mnt
	must check_pool
	must mount_pool /mnt
	must git -C /mnt/copy fsck --no-progress
	say "sqlite ($(uptime_s) s)"
	mkdir /witness
	mkfs.ext4 -q -F /dev/vdc && mount -t ext4 /dev/vdc /witness || skip "no ext4 for the witness"
	for mode in delete wal; do
		must sqlite3 /mnt/$mode.db "PRAGMA journal_mode=$mode; CREATE TABLE t(n INTEGER PRIMARY KEY, text); CREATE TABLE total(n);
			INSERT INTO total VALUES(0);" >/dev/null
	done
	sync
	kill_machine 12
	insert delete &
	insert wal &
	await_death
else
	must mount_pool /mnt
	mkdir /witness && must mount -t ext4 /dev/vdc /witness
	for mode in delete wal; do
		same "$(sqlite3 /mnt/$mode.db 'PRAGMA integrity_check')" ok "integrity of the database with journal $mode"
		rows=$(sqlite3 /mnt/$mode.db 'SELECT count(*) FROM t')
		same "$(sqlite3 /mnt/$mode.db 'SELECT n FROM total')" "$rows" "the sum in $mode"
		told=$(cat /witness/$mode)
		[ "$rows" -ge "$told" ] || fail "$mode: $told transactions were durable, $rows are there"
		say "$mode: $told acknowledged, $rows there"
	done
	must umount /mnt
	must check_pool
fi
