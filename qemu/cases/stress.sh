# stress-ng's stressors of files, which check themselves (--verify), two processes of each kind. make test runs some for a second each;
# `--set WORKERS=all --set STRESS_SECONDS=10 --patience 4` is the long version.
# disks: 2x1G
# cpus: 2
# programs: stress-ng
# packages: stress-ng
# memory: 1536
# kernels: 6.12 debug
# timeout: 400
# environment: STRESS_SECONDS=1 WORKERS=

# What a stressor finds that is not there to be found (verity, FIFOs of another filesystem) it skips by itself.
ALL="access chattr chdir chmod chown copy-file dentry dir dirdeep dirmany dnotify dup fallocate fanotify fcntl
	fiemap file-ioctl filename flock fpunch fsize fstat getdent handle hdd inode-flags inotify io iomix ioprio
	lease link locka lockf lockofd metamix mknod mmapfixed msync open readahead rename revio seek sendfile
	splice symlink sync-file touch unlink utime vm-splice xattr"
SIZES="--copy-file-bytes 128M --fallocate-bytes 64M --hdd-bytes 32M --iomix-bytes 32M --msync-bytes 16M --readahead-bytes 32M
	--revio-bytes 32M --seek-size 16M --sync-file-bytes 32M"
SOME="chattr dentry fallocate fiemap fpunch getdent hdd iomix link msync rename revio seek symlink utime xattr"
[ "$WORKERS" != all ] || WORKERS=$ALL
must make_pool
must mount_pool /mnt
mkdir /mnt/stress
ran=0
for worker in ${WORKERS:-$SOME}; do
	stress-ng --temp-path /mnt/stress --$worker 2 $SIZES --timeout $STRESS_SECONDS --verify >/tmp/stress.out 2>&1
	status=$?
	# 4: nothing it needs is there; 2 with this text: this version has no such stressor.
	case $status in
	0) ran=$((ran + 1)) ;;
	4) say "(stress-ng skips $worker)" ;;
	*) grep -q "unrecognized option" /tmp/stress.out || { cat /tmp/stress.out; fail "stress-ng --$worker"; } ;;
	esac
	! grep -qi "fail: " /tmp/stress.out || { cat /tmp/stress.out; fail "stress-ng --$worker"; }
	same "$(ls -A /mnt/stress | wc -l)" 0 "what stress-ng --$worker left"
done
[ $ran -ge 10 ] || fail "only $ran stressors ran"
say "$ran stressors ($(uptime_s) s)"
rmdir /mnt/stress
must umount /mnt
must check_pool
