# The comparison bench: works of userspace/bench/load on lcpfs, ext4, XFS and btrfs, each with its defaults, each work on a filesystem
# made for it on a null_blk device (in memory, 80 us by a timer, with a volatile cache or without one), by the clock that counts
# instructions. `make bench` (qemu/bench.py) runs it and makes a table of what it says; no test of its own. Preemptible, since null_blk's
# cache, once full, spins for pages that a preempted writer has locked: on one processor, for ever.
# disks: none
# clock: instructions
# memory: 6144
# payload: part
# modules: null_blk xfs btrfs
# programs: mkfs.xfs mkfs.btrfs sqlite3
# packages: xfsprogs btrfs-progs sqlite3
# files: build/test/load qemu/guest/bench.sh qemu/guest/benchdevice.sh
# kernels: none
# append: preempt=full
# timeout: 7200
# environment: CACHE=0 FILESYSTEMS=lcpfs,ext4,xfs,btrfs WORKS=fsync-append-1 SECONDS_EACH=0.5 FILES=20000 MIB=1024 RANDOM_MIB=256 GB=3
. /files/bench.sh
. /files/benchdevice.sh
all_works
