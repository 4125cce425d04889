# What programs expect of files: reads, writes, mappings, holes, sizes, times, names, against models where there is one.
# disks: 2x256M
# files: build/test/torture
# timeout: 420
T=/files/torture
OPERATIONS=${OPERATIONS:-3000}
NAMES=2000
[ "$KERNEL" != debug ] || OPERATIONS=600 NAMES=500
must make_pool
must mount_pool /mnt
cd /mnt

say "a file against a model of it ($(uptime_s) s)"
for seed in 1 2 3; do
	must $T model /mnt/model $OPERATIONS $seed
done
must $T model /mnt/model 600 4 $((8 << 20))
rm model

say "sparse, appended, held open ($(uptime_s) s)"
must dd if=/dev/zero of=sparse bs=4k count=1 seek=$((5 << 18)) 2>/dev/null
same "$(stat -c %s sparse)" $(((5 << 30) + 4096)) "size of the sparse file"
[ "$(stat -c %b sparse)" -le 16 ] || fail "the sparse file takes $(stat -c %b sparse) sectors"
echo end >>sparse
same "$(dd if=sparse bs=1 skip=$(((5 << 30) + 4096)) 2>/dev/null)" end "appended behind 5 GiB"
same "$(dd if=sparse bs=64k skip=40000 count=2 2>/dev/null | tr -d '\0' | wc -c)" 0 "bytes in a hole"
rm sparse
for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i >>appended & done
wait
same "$(wc -l <appended)" 10 "lines appended by ten processes"
echo kept >held
exec 5<held
must rm held
must_fail test -e held
same "$(cat <&5)" kept "a file unlinked while open"
exec 5<&-

say "names ($(uptime_s) s)"
long=$(printf '%0255d' 0)
must touch "$long"
must_fail touch "${long}0" 2>/dev/null
rm "$long"
must mkdir a a/b
must_fail rmdir a 2>/dev/null
must_fail mv a a/b/c 2>/dev/null
echo 1 >one; echo 2 >two
must mv -f one two
same "$(cat two)" 1 "renamed over"
must_fail test -e one
must ln two three
same "$(stat -c %h two)" 2 "links"
must rm two
same "$(stat -c %h three) $(cat three)" "1 1" "the other name"
must ln -s "$(printf '%04095d' 7)" longlink
same "$(readlink longlink | wc -c)" 4096 "a target of 4095 bytes and the line's end"
must ln -s nowhere dangling
must_fail cat dangling 2>/dev/null
must mknod pipe p
must mknod null c 1 3
echo x >null
[ -p pipe ] && [ -c null ] || fail "special files"
must chmod 4750 three
must chown 7:8 three
same "$(stat -c '%a %u %g' three)" "750 7 8" "mode and owner after chown"
must chmod 2775 a
must mkdir a/sub
same "$(stat -c %a a/sub)" 2755 "set-group-id of a new directory"
must touch -d '2040-02-03 04:05:06' three
umount_and_mount() { cd /; umount /mnt && mount_pool /mnt && cd /mnt; }
must umount_and_mount
same "$(stat -c '%a %u %g %y' three | cut -c1-27)" "750 7 8 2040-02-03 04:05:06" "attributes after a mount"
[ -p pipe ] && [ -c null ] || fail "special files after a mount"
same "$(readlink longlink | wc -c)" 4096 "the long target after a mount"
same "$(/usr/local/bin/stat -c %W appended | wc -c)" 11 "birth time"

say "a directory read while it changes ($(uptime_s) s)"
must mkdir big
(cd big && for i in $(seq 1 $NAMES); do : >stays$i; done) || fail "$NAMES files"
(cd big && for i in $(seq 1 300); do : >goes$i; rm goes$i; done) &
for i in 1 2 3 4 5; do
	same "$(ls big | grep -c stays)" $NAMES "names while others come and go"
	same "$(ls big | grep stays | sort -u | wc -l)" $NAMES "different names"
done
wait
same "$(ls big | wc -l)" $NAMES "names after that"
must rm -r big

say "mounting ($(uptime_s) s)"
exec 5>busy
must_fail umount /mnt 2>/dev/null
must_fail mount -o remount,ro /mnt 2>/dev/null
echo dirty >&5
exec 5>&-
cd /
must mount -o remount,ro /mnt
must_fail touch /mnt/no 2>/dev/null
same "$(cat /mnt/busy)" dirty "written before the remount"
grep -q ' /mnt lcpfs ro' /proc/mounts || fail "not shown read-only"
must $T reconfigure /mnt txg_interval 7
grep -q ' /mnt lcpfs ro.*txg_interval=7' /proc/mounts || fail "an option by itself changed more than itself"
same "$(cat /sys/fs/lcpfs/*/state)" read-only "the pool's state"
must mount -o remount,rw,txg_interval=1 /mnt
same "$(cat /sys/fs/lcpfs/*/state)" active "the pool's state"
must touch /mnt/yes
grep -q 'txg_interval=1' /proc/mounts || fail "the interval is not shown"
must_fail mount -o remount,nonsense /mnt 2>/dev/null
must umount /mnt
must check_pool
must mount_pool /mnt dirsync
echo now >/mnt/durable
must mv /mnt/durable /mnt/kept
if [ -x /usr/local/bin/fsfreeze ]; then
	say "frozen and thawed"
	exec 5>/mnt/unlinked
	rm /mnt/unlinked
	must /usr/local/bin/fsfreeze -f /mnt
	(echo late >/mnt/late) &
	sleep 1
	[ ! -e /mnt/late ] || fail "written while frozen"
	exec 5>&- &
	must /usr/local/bin/fsfreeze -u /mnt
	wait
	same "$(cat /mnt/late)" late "written after the thaw"
	exec 5>&-
fi
must umount /mnt
must check_pool
say "all clean ($(uptime_s) s)"
