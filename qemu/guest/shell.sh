# disks: 2x4G
# memory: 2048
# payload: small
# environment: SHELL_GUEST=1
# An interactive guest. Not a case: `make shell` runs it.
echo "kernel $(uname -r), lcpfs $(grep -q '^lcpfs ' /proc/modules && echo loaded || echo not loaded)"
echo "make_pool; mount_pool /mnt; check_pool are words you can use after '. /lib.sh'"
cd /
setsid cttyhack sh
