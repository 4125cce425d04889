# Every test case of the core and of the shim, inside the debug kernel.
# kernels: none
# disks: 2x128M
# module: no
# timeout: 400
must modprobe lcpfs_kunit
must rmmod lcpfs_kunit
