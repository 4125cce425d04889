# SPDX-License-Identifier: GPL-2.0-only
#
# The words a case is written in. This file runs the case itself, so that a case that stops early
# is never taken for one that ended well.

# This shell prefers its own applets; where the real program came along, that is the one meant.
for program in /usr/local/bin/*; do
	case ${program##*/} in
	*[!a-z0-9_]*) ;;
	*) eval "${program##*/}() { $program \"\$@\"; }" ;;
	esac
done

# say TEXT: progress for people.
say() { echo "-- $*"; }

# fail TEXT: the case ends here. To the console, wherever the output of the command at fault goes.
fail() { echo "FAIL: $*" >/dev/console; exit 1; }

# must COMMAND...: it has to succeed.
must() { "$@" || fail "$* (exit status $?)"; }

# must_fail COMMAND...: it has to fail.
must_fail() { ! "$@" || fail "$* succeeded"; }

# same A B [WHAT]: two words have to be equal.
same() { [ "$1" = "$2" ] || fail "${3:-values}: '$1' is not '$2'"; }

# kill_machine [SECONDS]: the runner kills the machine outright, now or after so long.
kill_machine() {
	echo "@@lcpfs-kill ${1:-0}"
	[ -n "$1" ] || while :; do sleep 1; done
}
# The same, and wait for it.
await_death() { sleep 600; fail "the machine was not killed"; }

# skip TEXT: the case does not apply here.
skip() { echo "@@lcpfs-skip $*"; exit 0; }

# sound_json VERB...: what it prints as JSON goes to the runner, which has the schema. Its exit code is the verb's.
sound_json() {
	lcpfs "$@" --json >/tmp/json
	code=$?
	verb=$(echo "$*" | tr ' ' '\n' | grep -v '^[-/]' | tr '\n' ' ')
	echo "@@lcpfs-json ${verb% } :: $(tr -d '\n' </tmp/json)"
	return $code
}

# dmesg_has REGEX: the kernel log says it.
dmesg_has() { dmesg | grep -qE "$1"; }

# Seconds since boot, for progress.
uptime_s() { cut -d. -f1 /proc/uptime; }

# The pool on the disks given, mounted. MKFS, MOUNT and FSCK stand apart so that the cases can be
# tried with another filesystem (FS=ext4) while one looks for a fault in the test ground itself.
FS=${FS:-lcpfs}
DISKS=${DISKS:-/dev/vda /dev/vdb}
make_pool() {
	case $FS in
	lcpfs) mkfs.lcpfs -q -f "$@" $DISKS ;;
	*) modprobe $FS; mkfs.$FS -q -F ${DISKS%% *} ;;
	esac
}
# mount_pool DIRECTORY [OPTIONS]
mount_pool() {
	mkdir -p "$1"
	case $FS in
	lcpfs)
		options=${2:+,$2}
		for disk in ${DISKS#* }; do
			[ "$disk" = "${DISKS%% *}" ] || options="$options,device=$disk"
		done
		mount -i -t lcpfs -o "${options#,}" ${DISKS%% *} "$1" 2>&1 ;;
	*) modprobe $FS; mount -t $FS ${2:+-o $2} ${DISKS%% *} "$1" ;;
	esac
}
check_pool() {
	case $FS in
	lcpfs) fsck.lcpfs -n $DISKS ;;
	ext4) e2fsck -fn ${DISKS%% *} ;;
	esac
}

. /case.sh
