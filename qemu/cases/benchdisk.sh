# The comparison bench on an emulated disk with two processors and this machine's clock: how what several callers do at once scales. Figures
# differ from run to run with whatever else the machine does. `make bench ARGS="--mode disk"` runs it.
# disks: 1x3G
# cache: none
# cpus: 2
# memory: 3072
# payload: part
# modules: xfs btrfs
# programs: mkfs.xfs mkfs.btrfs blkdiscard sqlite3
# packages: xfsprogs btrfs-progs sqlite3
# files: build/test/load qemu/guest/bench.sh
# kernels: none
# timeout: 3600
# environment: CACHE=1 FILESYSTEMS=lcpfs,ext4,xfs,btrfs WORKS=fsync-append-1 SECONDS_EACH=3 FILES=20000 MIB=512 RANDOM_MIB=128
DEVICE=/dev/vda
fresh_device() { must blkdiscard -f $DEVICE; }
drop_device() { :; }
. /files/bench.sh
all_works
