# The verbs of lcpfs that look at pools: list, df, iostat, tune, events; on a mounted pool, one that is not, one that lacks a device, and
# none; their JSON is JSON, their scripts' form has no header, their exit codes are those of the manual page.
# disks: 4x64M
# programs: mount umount build/test/guestkit
# timeout: 200
# kernels: 6.12

# code NUMBER VERB...
code() {
	wanted=$1
	shift
	lcpfs "$@" >/tmp/said 2>&1
	same $? $wanted "lcpfs $*"
}
cell() { awk -F'\t' -v n="$1" -v c="$2" '$1 == n { print $c }'; }

say "no pool"
code 0 list
code 1 iostat
code 1 tune get
code 0 df
code 2 list more
code 2 tune
code 2 iostat 0
same "$(lcpfs list --json)" "[]"

must mkfs.lcpfs -q -f -L tank /dev/vda /dev/vdb
must mkfs.lcpfs -q -f -L other /dev/vdc /dev/vdd
must mount -t lcpfs tank /mnt
must lcpfs dataset create home
mkdir -p "/mnt/a home"
must mount -t lcpfs tank/home "/mnt/a home"
say "list and df"
same "$(lcpfs list -H -p | cell tank 6)" active
same "$(lcpfs list -H -p | cell other 6)" "not mounted"
dd if=/dev/zero of=/dev/vdd bs=64k count=1024 2>/dev/null
same "$(lcpfs list -H -p | cell other 6)" incomplete
same "$(lcpfs list -H -p | cell other 7)" 1/2
same "$(lcpfs list -H -p | cell tank 2)" "$(cat /sys/fs/lcpfs/*/space/total_bytes)"
lcpfs list | grep -q "^POOL .*USE%" || fail "$(lcpfs list)"
same "$(lcpfs df -H -p | awk -F'\t' '$2 == "home" { print $7 }')" "/mnt/a home"
same "$(lcpfs df -H -p | awk -F'\t' '$2 == "default" { print $3 }')" "$(stat -f -c '%b %S' /mnt | awk '{ printf "%d", $1 * $2 }')"
for verb in list df iostat events "tune get" "dataset list" "partition list" "partition log" \
	"path list" "log status" "scan -n" "status /dev/vda /dev/vdb"; do
	must sound_json $verb
done
must sound_json dataset get default
must_fail sound_json status # of the one that lacks a device

say "iostat"
dd if=/dev/urandom of=/mnt/file bs=1M count=4 2>/dev/null
must sync
[ "$(lcpfs iostat -H | cell tank 6)" != 0.0 ] || fail "nothing was written: $(lcpfs iostat)"
same "$(lcpfs iostat 1 3 | grep -c '^tank')" 3 "rows"
same "$(lcpfs iostat -H 1 2 | tail -1 | cell tank 6)" 0.0 "bytes a second of a pool at rest"

say "tune"
must lcpfs tune set log-batch=17 dirty-limit=2097152
same "$(lcpfs tune get -H log-batch | cut -f3)" 17
same "$(cat /sys/fs/lcpfs/*/tunables/dirty_limit_bytes)" 2097152
code 1 tune set log-batch=0
grep -q "not a value" /tmp/said || fail "$(cat /tmp/said)"
code 1 tune set dirty-limit=12
code 2 tune set colour=3
ls -lR /mnt >/dev/null
held=$(cat /sys/fs/lcpfs/*/caches/metadata_bytes)
code 1 tune set cache-limit=1000
must lcpfs tune set cache-limit=1048576
same "$(lcpfs tune get -H cache-limit | cut -f3)" 1048576
code 2 tune set log-batch
same "$(lcpfs tune get -H log-batch | cut -f3)" 17
groups=$(cat /sys/fs/lcpfs/*/counters/commits)
for i in $(seq 1500); do : >"/mnt/$i-a-name-to-make-metadata-that-has-to-be-written-some-time-and-takes-its-place"; done
[ "$(cat /sys/fs/lcpfs/*/counters/commits)" -gt "$groups" ] || fail "no group was closed early for 1500 files in 2 MiB"
say "events"
must mount -o remount,ro /mnt
must mount -o remount,rw /mnt
must umount "/mnt/a home" /mnt
same "$(lcpfs events 2>&1)" "lcpfs: no pool is mounted"
must mkfs.lcpfs -q -f -L tank /dev/vda /dev/vdb
must mount -t lcpfs tank /mnt
mkdir /mnt/dir
must umount /mnt
# A damaged copy of the root of the pool tree, found when it is read: a line for the log, an event, a uevent.
must guestkit nodes /dev/vda /dev/vdb >/tmp/nodes
place=$(awk '$1 == "objects" && $3 == 0 { print $4; exit }' /tmp/nodes)
device=/dev/vda
[ ${place%:*} = 0 ] || device=/dev/vdb
must guestkit flip $device ${place#*:} 1234 3
must mount -t lcpfs tank /mnt
find /mnt >/dev/null
lcpfs events -H >/tmp/said
grep -q "block ${place#*:}" /tmp/said || fail "no event tells of it: $(cat /tmp/said; dmesg | tail -5)"
lcpfs events --json | grep -q '"level"' || fail "$(lcpfs events --json)"
[ "$(cat /sys/kernel/uevent_seqnum)" -gt 0 ]
must umount /mnt
