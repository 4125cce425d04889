# Extended attributes, POSIX ACLs and file capabilities, by Debian's programs: set, listed, inherited, kept in step with the mode,
# copied by tar, there after a mount and after the power has gone, and their space given back.
# disks: 2x256M
# boots: 2
# programs: setfattr getfattr setfacl getfacl setcap getcap setpriv tar
# packages: attr acl libcap2-bin tar util-linux
# timeout: 180
# kernels: 6.12 6.1 debug
value() { getfattr --absolute-names --only-values -n "$2" "$1" 2>/dev/null; }
acl() { getfacl -cpE "$1" 2>/dev/null | tr '\n' ' '; }
as_user() { user=$1; shift; setpriv --reuid=$user --regid=$user --clear-groups "$@"; }
all_of() {
	(cd "$1" && find . | sort | while read -r name; do
		getfattr -h -d -m - -e hex "$name" 2>/dev/null
		getfacl -p "$name" 2>/dev/null
	done)
}

case $STAGE in
1)
	must make_pool
	must mount_pool /mnt
	free=$(stat -f -c %f /mnt)
	cd /mnt
	say "attributes"
	echo content >file
	must setfattr -n user.one -v 1 file
	must setfattr -n user.empty file
	must setfattr -n trusted.two -v two file
	must setfattr -n security.three -v three file
	same "$(getfattr --absolute-names -m - file | grep -v '^#' | tr '\n' ' ')" "security.three trusted.two user.empty user.one  " names
	same "$(value file user.one)$(value file user.empty)$(value file trusted.two)" 1two values
	must setfattr -n user.one -v "another, longer than it was" file
	same "$(value file user.one)" "another, longer than it was" "a value replaced"
	must setfattr -x user.empty file
	must_fail setfattr -x user.empty file 2>/dev/null
	must_fail setfattr -n other.name -v 1 file 2>/dev/null
	must_fail setfattr -n user. -v 1 file 2>/dev/null
	ln -s file link
	must_fail setfattr -h -n user.one -v 1 link 2>/dev/null
	must setfattr -h -n trusted.one -v 1 link
	chmod 666 file
	same "$(as_user 1000 getfattr --absolute-names -m - file | grep -v '^#' | tr '\n' ' ')" "security.three user.one  " \
		"names that a user sees"
	must_fail as_user 1000 setfattr -n trusted.four -v 1 file 2>/dev/null
	must as_user 1000 setfattr -n user.four -v 4 file
	chmod 644 file
	must_fail as_user 1000 setfattr -n user.four -v 5 file 2>/dev/null
	ctime=$(stat -c %Z.%z file)
	sleep 0.1
	must setfattr -n user.four -v 6 file
	[ "$(stat -c %Z.%z file)" != "$ctime" ] || fail "the time of change stands still"

	say "large ones, and many"
	large=0x$(head -c 65536 /dev/zero | tr '\0' 'x' | od -An -v -tx1 | tr -d ' \n' | head -c 60000)
	must setfattr -n user.large -v $large file
	same "$(value file user.large | wc -c)" 30000 "bytes of a large value"
	must mkdir many
	i=0
	while [ $i -lt 300 ]; do
		setfattr -n user.number$i -v "value of $i" many || fail "number $i"
		i=$((i + 1))
	done
	same "$(getfattr --absolute-names -d many | grep -c number)" 300 "attributes of a directory"

	say "ACLs and the mode"
	touch list
	chmod 640 list
	must setfacl -m u:1000:rw,g:2000:r list
	same "$(acl list)" "user::rw- user:1000:rw- group::r-- group:2000:r-- mask::rw- other::---  " "a list"
	same "$(stat -c %a list)" 660 "the mode shows the mask"
	echo secret >list
	same "$(as_user 1000 cat list)" secret "read by a user of the list"
	must_fail as_user 3000 cat list 2>/dev/null
	must chmod 600 list
	same "$(acl list)" "user::rw- user:1000:rw- group::r-- group:2000:r-- mask::--- other::---  " "the mask follows the mode"
	must_fail as_user 1000 cat list 2>/dev/null
	must setfacl -b list
	same "$(stat -c %a list)$(acl list)" "600user::rw- group::--- other::---  " "without its list" # setfacl takes what the mask took
	same "$(getfattr --absolute-names -m - list)" "" "what is left of a list"
	must setfacl -m u::rwx,g::-,o::r list
	same "$(stat -c %a list)" 704 "a list that is a mode"
	same "$(getfattr --absolute-names -m - list)" "" "such a list is not kept"
	must_fail setfacl -d -m u:1:r list 2>/dev/null

	say "inherited"
	must mkdir parent
	must setfacl -m d:u:1000:rwx,d:g::rx,d:o::- parent
	(umask 077; touch parent/file; mkdir parent/directory; mkfifo parent/fifo)
	same "$(acl parent/file)" "user::rw- user:1000:rwx group::r-x mask::rw- other::---  " "a file's"
	same "$(stat -c %a parent/file)" 660 "its mode, whatever the umask"
	same "$(acl parent/directory | cut -c 1-30)" "user::rwx user:1000:rwx group:" "a directory's"
	same "$(getfacl -cpd parent/directory | grep -c 1000)" 1 "what it hands on"
	same "$(acl parent/fifo | cut -c 1-24)" "user::rw- user:1000:rwx " "a fifo's"
	ln -s nowhere parent/link
	(umask 077; touch plain; mkdir plain.d)
	same "$(stat -c %a plain) $(stat -c %a plain.d)" "600 700" "modes by the umask where nothing is inherited"

	say "capabilities"
	cp /usr/local/bin/tar tar || fail "copying"
	chmod 755 tar
	echo secret >secret
	chmod 600 secret
	must mkdir -m 777 open
	must_fail as_user 1000 ./tar -cf open/archive secret 2>/dev/null
	must setcap cap_dac_override+ep tar
	same "$(getcap tar)" "tar cap_dac_override=ep" "capabilities"
	must as_user 1000 ./tar -cf open/archive secret
	cp tar other
	same "$(getcap other)" "" "capabilities of a copy"
	must setcap cap_net_raw+p other
	echo >>other
	same "$(getcap other)" "" "capabilities of what was written to"

	say "tar there and back"
	must mkdir from to
	cp file from/ && mkdir from/parent && mkfifo from/parent/fifo && ln -s x from/link
	getfattr -m - -d -e hex file >/tmp/dump
	(cd from && setfattr --restore=/tmp/dump) || fail "restoring what was dumped"
	must setfacl -m u:7:r from/file
	must setfacl -m d:u:9:rx,g:8:w from/parent
	must setfattr -h -n trusted.link -v l from/link
	must setfattr -n user.of-directory -v d from/parent
	must /usr/local/bin/tar -C from --xattrs --xattrs-include='*' --acls -cf archive .
	must /usr/local/bin/tar -C to --xattrs --xattrs-include='*' --acls -xpf archive
	[ "$(all_of from)" = "$(all_of to)" ] || fail "the copy has others: $(all_of from) and $(all_of to)"
	say "after a mount"
	all_of /mnt >/tmp/before
	cd /
	must umount /mnt
	must check_pool
	must mount_pool /mnt
	all_of /mnt >/tmp/after
	cmp /tmp/before /tmp/after || fail "other after a mount"
	say "all given back"
	must rm -rf /mnt/many /mnt/from /mnt/to /mnt/archive /mnt/tar /mnt/other
	must umount /mnt
	must mount_pool /mnt
	say "$free blocks were free, $(stat -f -c %f /mnt) are"
	say "what is acknowledged, by the log alone"
	must umount /mnt
	must mount_pool /mnt txg_interval=30
	cd /mnt
	must setfattr -n user.logged -v $large parent
	must setfattr -x user.four file
	must setfacl -m u:4242:rwx file
	must setfacl -k parent
	must mkdir heir
	must setfacl -d -m u:4242:x heir
	must touch heir/one
	must chmod 707 heir/one
	must dd if=/dev/null of=heir/one conv=notrunc,fsync 2>/dev/null
	setfattr -n user.not -v durable file
	kill_machine
	;;
2)
	must mount_pool /mnt
	cd /mnt
	dmesg_has 'have been done again' || fail "nothing was replayed"
	same "$(value parent user.logged | wc -c)" 30000 "a value that only the log had"
	same "$(value file user.four)" "" "one that was removed"
	same "$(acl file | grep -c 'user:4242:rwx')" 1 "a list that only the log had"
	same "$(getfacl -cpd parent | grep -c 1000)" 0 "a list that was removed"
	same "$(acl heir/one)" "user::rwx user:4242:--x group::r-x mask::--- other::rwx  " "an inherited list after chmod"
	same "$(stat -c %a heir/one)" 707 "its mode"
	same "$(getcap heir/one)$(value file trusted.two)" two "what a group had committed"
	cd /
	must umount /mnt
	must check_pool
	;;
esac
