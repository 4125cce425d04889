# Out of space: filled with small files, with one large one, with a mapped one, by several at once. Every failure is
# ENOSPC and nothing else; nothing written before is lost; what removes works on the full pool; the space comes back. On the debug
# kernel, where it takes twenty minutes, when asked for by name.
# disks: 2x32M
# cpus: 2
# programs: e2fsck cmp build/test/guestkit
# timeout: 700
# kernels: 6.12 6.1

# only_full WHAT: the last error was "no space" and nothing else.
only_full() { grep -q "No space left on device" /tmp/error || fail "$1 gave: $(cat /tmp/error)"; }
# full_or_done WHAT COMMAND...: it works or says ENOSPC.
full_or_done() {
	what=$1
	shift
	if "$@" 2>/tmp/error; then say "  $what works"; else only_full "$what"; say "  $what gives ENOSPC"; fi
}
free_kib() { sync; df -k /mnt | awk 'END { print $4 }'; }
# space_is_back: as much is free as at first, less a few nodes.
space_is_back() {
	# What is freed in one group can be used after the next.
	sync; sync
	now=$(free_kib)
	[ $((now + 512)) -ge $before ] || fail "$now KiB are free, before it were $before"
	say "space came back: $now KiB free, $before before"
}
kept() { (cd /mnt/kept && sha256sum -c /tmp/sums >/dev/null 2>&1) || fail "$1: files from before are damaged"; }
# small DIRECTORY: files of 8000 bytes until one cannot be written; how many could.
small() {
	n=0
	mkdir -p $1 2>/tmp/error-$2 || return 0
	while printf '%8000d' $n 2>/tmp/error-$2 >$1/$n; do n=$((n + 1)); done 2>>/tmp/error-$2
	echo $n >/tmp/count-$2
}

must make_pool
must mount_pool /mnt
must mkdir /mnt/kept
for i in $(seq 1 40); do dd if=/dev/urandom of=/mnt/kept/$i bs=$((i * 500)) count=1 2>/dev/null; done
(cd /mnt/kept && sha256sum *) >/tmp/sums
before=$(free_kib)
say "$before KiB free"

say "small files ($(uptime_s) s)"
small /mnt/small 0
cat /tmp/error-0 >/tmp/error
only_full "creating a file"
count=$(cat /tmp/count-0)
say "$count files, $(free_kib) KiB free ($(uptime_s) s)"
[ $((count * 8)) -gt $((before * 8 / 10)) ] || fail "only $count files of 8 KiB fit into $before KiB"
must sync
kept "on the full pool"
same "$(find /mnt/small -size 8000c | wc -l)" "$count" "files of their full size"
full_or_done "mkdir" mkdir /mnt/new-directory
full_or_done "ln -s" ln -s target /mnt/new-link
full_or_done "ln" ln /mnt/kept/1 /mnt/hard
full_or_done "mv" mv /mnt/kept/2 /mnt/kept/two
[ ! -e /mnt/kept/two ] || must mv /mnt/kept/two /mnt/kept/2
full_or_done "appending" dd if=/dev/zero of=/mnt/small/0 bs=4k count=100 oflag=append conv=notrunc,fsync
full_or_done "overwriting" dd if=/dev/zero of=/mnt/small/1 bs=4k count=2 conv=notrunc,fsync
full_or_done "chmod -R" chmod -R o-r /mnt/small
full_or_done "touch of all" touch /mnt/small/*5
must truncate -s 0 /mnt/small/3
must sync
must umount /mnt
must check_pool
must mount_pool /mnt
kept "after mounting the full pool again"
say "removing in random order ($(uptime_s) s)"
find /mnt/small -type f | awk 'BEGIN { srand(7) } { print rand(), $0 }' | sort | cut -d' ' -f2 >/tmp/order
half=$(($(wc -l </tmp/order) / 2))
head -n $half /tmp/order | xargs rm || fail "rm on a full pool"
must rm -r /mnt/small
rm -rf /mnt/new-directory /mnt/new-link /mnt/hard
space_is_back
must umount /mnt
must check_pool

say "one large file ($(uptime_s) s)"
must mount_pool /mnt
dd if=/dev/urandom of=/tmp/large bs=1M count=64 2>/dev/null
must_fail cp /tmp/large /mnt/large 2>/tmp/error
only_full "copying"
must sync
bytes=$(stat -c %s /mnt/large)
[ $((bytes / 1024)) -gt $((before * 8 / 10)) ] || fail "only $bytes bytes fit into $before KiB"
must cmp -n $bytes /tmp/large /mnt/large
say "$bytes bytes of it are there, $(free_kib) KiB free"
full_or_done "overwriting in place" dd if=/tmp/large of=/mnt/large bs=1M count=4 conv=notrunc,fsync
must umount /mnt
must check_pool
must mount_pool /mnt
must cmp -n $bytes /tmp/large /mnt/large
kept "with a large file"
must truncate -s 1M /mnt/large
must cmp -n 1048576 /tmp/large /mnt/large
must rm /mnt/large
space_is_back

say "a mapped file larger than the pool ($(uptime_s) s)"
must guestkit map /mnt/mapped 134217728 >/tmp/map
cat /tmp/map
grep -q "then SIGBUS" /tmp/map || fail "128 MiB fit into $before KiB"
kept "with a mapped file"
must rm /mnt/mapped
space_is_back

say "four at once ($(uptime_s) s)"
for i in 1 2 3 4; do small /mnt/small$i $i & done
wait
for i in 1 2 3 4; do cat /tmp/error-$i >/tmp/error; only_full "writer $i"; done
must sync
for i in 1 2 3 4; do
	same "$(find /mnt/small$i -size 8000c | wc -l)" "$(cat /tmp/count-$i)" "files of writer $i"
done
say "$(cat /tmp/count-[1234] | tr '\n' ' ')files"
kept "with four writers"
for i in 1 2 3 4; do rm -r /mnt/small$i & done
wait
same "$(ls /mnt | grep -v lost+found | tr '\n' ' ')" "kept " "what is left"
space_is_back
must umount /mnt
must check_pool
must mount_pool /mnt
kept "in the end"
