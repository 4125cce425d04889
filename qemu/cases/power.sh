# The power goes: what was synced is there, by fsync, sync mounts and whole-file replacement; what was not is not there in halves; what
# was cut does not come back; files without a name give their space back.
# disks: 2x256M
# boots: 3
# files: build/test/torture
# timeout: 180
T=/files/torture
# whole FILE: it holds one generation from its first to its last line, and its end mark.
whole() {
	generation=$(head -n 1 "$1")
	same "$(sort -u "$1" | wc -l)" 2 "different lines in $1"
	same "$(grep -c "^$generation$" "$1")" 3000 "lines of generation $generation"
	same "$(tail -n 1 "$1")" end "the last line of $1"
}
# replace: the word's usual way of changing a file, over and over, until the end.
replace() {
	generation=0
	while :; do
		generation=$((generation + 1))
		(yes "generation$generation" | head -n 3000; echo end) | dd of=/mnt/new conv=fsync 2>/dev/null || fail "writing"
		must mv /mnt/new /mnt/target
		echo $generation >/tmp/generation
	done
}

case $STAGE in
1)
	must make_pool
	must mount_pool /mnt txg_interval=1
	free=$(df /mnt | awk 'END { print $4 }')
	must $T tails /mnt write
	# Open and unlinked at the time of the kill.
	exec 5>/mnt/unlinked
	dd if=/dev/zero of=/mnt/unlinked bs=1M count=20 2>/dev/null
	rm /mnt/unlinked
	must sync
	echo $free >/mnt/free
	must sync
	kill_machine 6
	replace
	;;
2)
	must mount_pool /mnt
	dmesg_has 'finished [0-9]+ removals' || fail "the unlinked file was not removed"
	must $T tails /mnt check
	whole /mnt/target
	say "$(head -n 1 /mnt/target)"
	sync
	left=$(df /mnt | awk 'END { print $4 }')
	[ $left -gt $(($(cat /mnt/free) - 2048)) ] || fail "$left KiB are free, $(cat /mnt/free) were"
	must umount /mnt
	must check_pool
	say "names on a dirsync mount, data on a sync mount"
	must mount_pool /mnt dirsync,txg_interval=30
	must mkdir /mnt/made
	must touch /mnt/made/one
	must mv /mnt/made/one /mnt/made/two
	must ln -s x /mnt/made/link
	must umount /mnt
	must mount_pool /mnt sync,txg_interval=30
	echo data >/mnt/made/data
	must chmod 700 /mnt/made/data
	must rm /mnt/made/two
	# Not synced, thirty seconds from any commit.
	must mount -o remount,async /mnt
	echo never >/mnt/never
	kill_machine
	;;
3)
	must mount_pool /mnt
	same "$(ls /mnt/made | tr '\n' ' ')" "data link " "names made on sync mounts"
	same "$(cat /mnt/made/data) $(stat -c %a /mnt/made/data)" "data 700" "data of a sync mount"
	must_fail test -e /mnt/never
	must umount /mnt
	must check_pool
	;;
esac
