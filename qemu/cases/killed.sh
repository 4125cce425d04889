# The machine is killed while eight threads change and sync; what they had been told is durable is there, each time, and the check
# finds nothing. Who was told what stands on a disk of its own. --boots 26 for twenty-five kills.
# disks: 2x512M 1x16M
# boots: 5
# cpus: 2
# files: build/test/torture
# kernels: 6.12 6.1
# timeout: 150
T=/files/torture
WITNESS=/dev/vdc

if [ $STAGE = 1 ]; then
	must make_pool
	must mount_pool /mnt
else
	must mount_pool /mnt
	must $T acknowledged /mnt/round$((STAGE - 1)) $WITNESS 8 check
	must umount /mnt
	must check_pool
	must mount_pool /mnt
	must $T acknowledged /mnt/round$((STAGE - 1)) $WITNESS 8 check
	must rm -r /mnt/round$((STAGE - 1))
fi
[ $STAGE = $STAGES ] && { must umount /mnt; must check_pool; exit 0; }
must mkdir /mnt/round$STAGE
must sync
hundredths=$((200 + RANDOM % 600))
say "kill $STAGE after $hundredths hundredths of a second"
$T acknowledged /mnt/round$STAGE $WITNESS 8 $RANDOM &
kill_machine ${hundredths%??}.${hundredths#?}
wait $!
fail "it ended before the machine did"
