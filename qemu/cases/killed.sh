# The machine is killed while eight threads change and sync; what they had been told is durable is there, each time, and the check
# finds nothing. Who was told what stands on a disk of its own. In turn: without a log device, with one, with one that fails two
# seconds before the end and does not come back, with one that is missing at first. --boots 26 for twenty-five kills.
# disks: 2x512M 1x16M 1x64M
# boots: 5
# cpus: 2
# files: build/test/torture
# modules: dm-mod
# programs: dmsetup mount
# kernels: 6.12 6.1 debug
# timeout: 150
T=/files/torture
WITNESS=/dev/vdc
LOG=/dev/dm-0
DATA="/dev/vda /dev/vdb"
SIZE=$(/usr/local/bin/blockdev --getsz /dev/vdd)
modprobe dm-mod 2>/dev/null
must dmsetup create --noudevsync log --table "0 $SIZE linear /dev/vdd 0"
dmsetup mknodes
mkdir -p /mnt
# on OPTIONS [LOG]
on() { mount -i -t lcpfs -o "device=/dev/vdb${2:+,device=$2},$1" /dev/vda /mnt; }
kind_of() { echo plain log fails missing | cut -d' ' -f$((($1 - 1) % 4 + 1)); }

if [ $STAGE -gt 1 ]; then
	log=$LOG options=rw
	case $(kind_of $((STAGE - 1))) in
	plain) log= ;;
	fails) log= options=recover=discard-log; must_fail on rw ;;
	missing) must_fail on rw; dmesg_has 'log device .* is missing' || fail "the log does not say what is missing" ;;
	esac
	must on $options $log
	dmesg | grep -i 'intent log'
	must $T acknowledged /mnt/round$((STAGE - 1)) $WITNESS 8 check
	must umount /mnt
	must fsck.lcpfs -n $DATA $log
	must on rw $log
	must $T acknowledged /mnt/round$((STAGE - 1)) $WITNESS 8 check
	must umount /mnt
fi
[ $STAGE != $STAGES ] || exit 0
kind=$(kind_of $STAGE)
log=
[ $kind = plain ] || log=$LOG
must mkfs.lcpfs -q -f ${log:+--log $log} $DATA
must on rw $log
must mkdir /mnt/round$STAGE
must sync
hundredths=$((300 + RANDOM % 600))
say "kill $STAGE, $kind, after $hundredths hundredths of a second"
$T acknowledged /mnt/round$STAGE $WITNESS 8 $RANDOM &
seconds=${hundredths%??}.${hundredths#?}
if [ $kind = fails ]; then
	sleep $seconds
	must dmsetup suspend --noflush --nolockfs --noudevsync log
	must dmsetup reload log --table "0 $SIZE error"
	must dmsetup resume --noudevsync log
	# Until the group after the failure has committed, what had been acknowledged stands on the device alone.
	for try in $(seq 1 200); do
		[ "$(cat /sys/fs/lcpfs/*/log_device)" != failed ] || break
		sleep 0.1
	done
	same "$(cat /sys/fs/lcpfs/*/log_device)" failed "the log device"
	say "failed, and the log is in the pool"
	seconds=2
fi
kill_machine $seconds
wait
fail "it ended before the machine did"
