#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# in-guest.bash: run by systemd at the end of each boot of try.bash's machine; lcpfs_look= on the kernel's command line says what for.
set -u
what=$(sed 's/.*lcpfs_look=\([a-z]*\).*/\1/' /proc/cmdline)
fail() {
	echo "look: FAIL: $*"
	journalctl -b --no-pager -p warning | tail -n 30
	exit 1
}
show() {
	echo "+ $*"
	"$@" 2>&1 | sed 's/^/  | /'
}

echo "look: $what on $(uname -r), up $(cut -d. -f1 /proc/uptime) s"
case $what in
made)
	/bin/bash /root/second.sh 2>&1 | sed 's/^\([^+]\)/  | \1/'
	[ "${PIPESTATUS[0]}" = 0 ] || fail "a command of the README failed"
	cp -a /usr/share/doc /srv/tank/doc || fail "cp"
	cp -a /usr/lib/systemd /srv/mail/systemd || fail "cp"
	(cd /srv && find tank mail -type f -print0 | sort -z | xargs -0 sha256sum) >/root/sums
	[ "$(wc -l </root/sums)" -gt 100 ] || fail "nothing was copied"
	;;
again)
	# By nofail they may come after everything else.
	for _ in $(seq 120); do
		systemctl list-jobs --no-legend --plain | grep -q 'srv-.*mount' || break
		sleep 1
	done
	echo "look: mounted $(cut -d. -f1 /proc/uptime) s after the start"
	mountpoint -q /srv/tank || fail "/srv/tank did not come back"
	mountpoint -q /srv/mail || fail "/srv/mail did not come back"
	(cd /srv && sha256sum --quiet -c /root/sums) || fail "what was copied is not what is there"
	show findmnt -t lcpfs
	show lcpfs status
	show ls -l /dev/disk/by-label/tank
	;;
missing)
	# nofail: the machine comes up without it, and says what is missing.
	! mountpoint -q /srv/tank || fail "half a pool was mounted"
	show lcpfs scan
	show timeout 60 mount -t lcpfs /dev/vdb /srv/tank
	! mountpoint -q /srv/tank || fail "half a pool was mounted by hand"
	show systemctl --no-pager --no-legend list-jobs
	;;
esac
failed=$(systemctl list-units --no-legend --plain --state=failed | awk '{ print $1 }' | tr '\n' ' ')
[ "$what" = missing ] || [ -z "$failed" ] || fail "units that failed: $failed"
dmesg | grep -E 'BUG|WARNING|Oops' && fail "the kernel complained"
echo "look: all well"
