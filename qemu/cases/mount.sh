# mount.lcpfs, as mount(8) and /etc/fstab use it: a pool by one device, by its name, by its UUID, with a dataset, by two paths; options of
# every kind, remounting, and what is refused and how. Mounts at the same time, by devices slow enough that one looks while the other does.
# disks: 2x64M
# modules: dm-mod dm-delay
# programs: mount umount findmnt dmsetup
# timeout: 200
# kernels: 6.12 6.1

options() { findmnt -n -o OPTIONS "$1"; }
# has DIRECTORY OPTION...: as the kernel shows it.
has() {
	directory=$1
	shift
	for option in "$@"; do
		case ,$(options $directory), in
		*,$option,*) ;;
		*) fail "$directory has no $option: $(options $directory)" ;;
		esac
	done
}
# refused TEXT ARGUMENTS...: mount says that, with exit status 32.
refused() {
	text=$1
	shift
	mount "$@" >/tmp/said 2>&1
	code=$?
	grep -q "$text" /tmp/said || fail "mount $*: $(cat /tmp/said)"
	[ $code = 32 ] || fail "mount $*: exit status $code"
}

must mkfs.lcpfs -q -f -L tank $DISKS
uuid=$(lcpfs scan -n -H | awk 'NR == 1 { print $2 }')
mkdir -p /mnt /two /three

say "one device of two, the name, the UUID"
must mount -t lcpfs /dev/vdb /mnt
echo data >/mnt/file
must umount /mnt
for source in tank LABEL=tank UUID=$uuid; do
	must mount.lcpfs $source /mnt
	same "$(cat /mnt/file)" data "$source"
	must umount /mnt
done
must mount -t lcpfs tank /mnt

say "datasets of a pool in use"
must lcpfs dataset create home
must mount -t lcpfs tank/home /two
echo home >/two/file
must mount -t lcpfs -o dataset=home,nosuid,nodev,noatime /dev/vda /three
same "$(cat /three/file)" home "the dataset twice"
has /three nosuid nodev noatime
must umount /two /three
must umount /mnt

say "at once, each by another device; and while the pool is closed"
modprobe dm-mod
modprobe dm-delay
for disk in vda vdb; do
	must dmsetup create --noudevsync slow-$disk --table "0 131072 delay /dev/$disk 0 20"
done
dmsetup mknodes
SLOW_A=/dev/dm-0
SLOW_B=/dev/dm-1
for round in $(seq 3); do
	mount -i -t lcpfs -o device=$SLOW_B $SLOW_A /mnt &
	first=$!
	mount -i -t lcpfs -o device=$SLOW_A,dataset=home $SLOW_B /two &
	second=$!
	wait $first || fail "round $round: by the first device"
	wait $second || fail "round $round: by the second device"
	umount /mnt &
	first=$!
	umount /two &
	second=$!
	mount -i -t lcpfs -o device=$SLOW_B,dataset=home $SLOW_A /three &
	third=$!
	wait $first && wait $second || fail "round $round: umount"
	wait $third || fail "round $round: while it is closed"
	same "$(cat /three/file)" home "round $round"
	echo $round >/three/round
	must umount /three
	must mount -i -t lcpfs -o device=$SLOW_A,dataset=home $SLOW_B /three
	same "$(cat /three/round)" $round "what was written last"
	must umount /three
done
must dmsetup remove --noudevsync slow-vda
must dmsetup remove --noudevsync slow-vdb
must mount -t lcpfs tank /mnt

say "options"
must umount /mnt
must mount -t lcpfs -o ro,noexec,txg_interval=7,sync=always,logbias=throughput,x-systemd.automount,nofail,_netdev tank /mnt
has /mnt ro noexec txg_interval=7 sync=always logbias=throughput
must mount -o remount,rw,exec,txg_interval=9,sync=standard /mnt
must mount -o remount,sync,lazytime /mnt
has /mnt sync lazytime
must mount -o remount,async,nolazytime /mnt
case ,$(options /mnt), in *,sync,* | *,lazytime,*) fail "remounted: $(options /mnt)" ;; esac
has /mnt rw txg_interval=9
case ,$(options /mnt), in *,noexec,* | *sync=always*) fail "remounted: $(options /mnt)" ;; esac
must touch /mnt/new
must umount /mnt

say "/etc/fstab"
echo "tank /mnt lcpfs defaults,lazytime 0 0" >/etc/fstab
must mount /mnt
has /mnt lazytime
must umount /mnt
must mount -a -t lcpfs
must umount /mnt

say "refused"
refused "no such device, and no pool" -t lcpfs nosuch /mnt
refused "names no dataset" -t lcpfs tank/ /mnt
mount.lcpfs UUID=12 /mnt 2>/tmp/said
same $? 32 "UUID=12"
grep -q "that is no UUID" /tmp/said || fail "$(cat /tmp/said)"
refused "option txg_interval=77" -t lcpfs -o txg_interval=77 tank /mnt
refused "option colour=red" -t lcpfs -o colour=red tank /mnt
refused "." -t lcpfs tank/nosuch /mnt
refused "." -t lcpfs tank /nowhere
mount.lcpfs tank >/dev/null 2>&1
same $? 1 "too few arguments"
must mount.lcpfs -f -v tank /mnt >/tmp/said
grep -q "with /dev/vd" /tmp/said || fail "it does not say what it found: $(cat /tmp/said)"
findmnt /mnt >/dev/null && fail "-f has mounted it"
dd if=/dev/zero of=/dev/vdb bs=64k count=1024 2>/dev/null
refused "." -t lcpfs tank /mnt
dmesg_has "device 1 of 2 .* is missing" || fail "the kernel log does not say what is missing"
