# fio by every way into a file, each block checked as it is read back: calls, mappings, libaio and io_uring, through the page cache
# and past it.
# disks: 2x256M
# cpus: 2
# programs: fio
# packages: fio
# timeout: 900
# kernels: 6.12
# environment: SIZE=2m
export HOME=/tmp

# fio_with ENGINE DIRECT FURTHER...
fio_with() {
	engine=$1 direct=$2
	shift 2
	say "fio $engine direct=$direct $* ($(uptime_s) s)"
	mkdir -p /mnt/fio
	for pattern in write randwrite randrw; do
		must fio --name=$engine --directory=/mnt/fio --ioengine=$engine --direct=$direct --rw=$pattern \
			--size=$SIZE --numjobs=2 --bs=4k --iodepth=8 --verify=crc32c --do_verify=1 --verify_fatal=1 \
			--verify_backlog=64 --eta=never --minimal --output=/tmp/fio.out "$@"
		rm /mnt/fio/*
	done
}

must make_pool
must mount_pool /mnt
for how in "psync 0" "psync 1" "mmap 0" "libaio 0" "libaio 1" "io_uring 0" "io_uring 1"; do
	fio_with $how
done
fio_with psync 0 --bsrange=512-64k --fsync=32
fio_with libaio 1 --bsrange=4k-256k --bs_unaligned=0 --sync=dsync
fio_with io_uring 1 --bsrange=4k-512k --fallocate=none
must umount /mnt
must check_pool
