# Compression: by mount option, by dataset, by chattr +c; lz4 and zstd; what it saves, what is stored plain, reading and writing inside
# compressed units, clones and holes of them, remounts between; fsck reads all of it.
# disks: 2x256M
# programs: chattr lsattr cmp fallocate truncate stat
# timeout: 300
# kernels: 6.12 6.1

# used FILE: KiB that it takes.
used() { echo $(($(stat -c %b "$1") / 2)); }
# text MIB: what compresses well, and is not the same over and over.
text() { seq 1 100000000 | head -c $(($1 << 20)); }
on() { mount -i -t lcpfs -o "device=/dev/vdb,$1" /dev/vda /mnt; }
again() { must umount /mnt; must on "$1"; }
shown() { grep " /mnt lcpfs " /proc/mounts; }

must make_pool
must on compression=lz4
shown | grep -q compression=lz4 || fail "not shown: $(shown)"
say "lz4 and zstd"
text 8 >/tmp/text
cp /tmp/text /mnt/lz4
must sync
[ $(used /mnt/lz4) -lt 5000 ] || fail "lz4 saves nothing: $(used /mnt/lz4) KiB"
must mount -o remount,compression=zstd:9 /mnt
shown | grep -q compression=zstd:9 || fail "not shown: $(shown)"
cp /tmp/text /mnt/zstd
dd if=/dev/urandom of=/mnt/random bs=1M count=4 2>/dev/null
must sync
[ $(used /mnt/zstd) -lt $(used /mnt/lz4) ] || fail "zstd: $(used /mnt/zstd) KiB, lz4: $(used /mnt/lz4) KiB"
same $(used /mnt/random) 4096 "KiB of what does not compress"
must mount -o remount,compression=off /mnt
cp /tmp/text /mnt/plain
must sync
same $(used /mnt/plain) 8192 "KiB of a plain file"
say "8 MiB take $(used /mnt/lz4) KiB by lz4, $(used /mnt/zstd) by zstd:9"
again ro
for name in lz4 zstd plain; do must cmp /tmp/text /mnt/$name; done

say "inside units"
again compression=lz4
cp /tmp/text /tmp/model
# change OFFSET BYTES: of the file and of its model.
change() {
	dd if=/dev/urandom of=/tmp/piece bs=1 count=$2 2>/dev/null
	for file in /tmp/model /mnt/lz4; do dd if=/tmp/piece of=$file bs=1 seek=$1 conv=notrunc 2>/dev/null; done
}
change 5 3
change 131070 9
change 4194304 4096
change 700001 70000
must cp --reflink=always /mnt/lz4 /mnt/clone
cp /tmp/model /tmp/clone
change 260000 5000
fallocate -p -o 1000000 -l 300000 /mnt/lz4
fallocate -p -o 1000000 -l 300000 /tmp/model
must truncate -s 7000000 /mnt/lz4 /tmp/model
must sync
again compression=lz4
must cmp /tmp/model /mnt/lz4
must cmp /tmp/clone /mnt/clone
must rm /mnt/lz4
must sync
must cmp /tmp/clone /mnt/clone
must umount /mnt
must fsck.lcpfs -n --data $DISKS

say "a dataset, and chattr +c"
must on txg_interval=30
must lcpfs dataset set default compression=zstd
lcpfs dataset get default compression | grep -q zstd || fail "$(lcpfs dataset get default)"
again txg_interval=30
cp /tmp/text /mnt/by-dataset
must sync # compressed is what is written while it is so
must lcpfs dataset set default compression=off
mkdir /mnt/c
must chattr +c /mnt/c
cp /tmp/text /mnt/c/by-flag
lsattr /mnt/c/by-flag | grep -q '^[^ ]*c' || fail "not inherited: $(lsattr /mnt/c)"
cp /tmp/text /mnt/by-none
must sync
[ $(used /mnt/by-dataset) -lt 5000 ] || fail "the dataset's: $(used /mnt/by-dataset) KiB"
[ $(used /mnt/c/by-flag) -lt 5000 ] || fail "the flag's: $(used /mnt/c/by-flag) KiB"
same $(used /mnt/by-none) 8192 "KiB of nobody's"
lcpfs dataset set default compression=brotli 2>/dev/null && fail "an unknown algorithm was taken"
mount -o remount,compression=zstd:77 /mnt 2>/dev/null && fail "a level that there is not was taken"

say "synced files, and everything once more by fsck"
for i in 1 2 3 4; do text 1 >/mnt/c/synced-$i; done
must sync /mnt/c/synced-4
must umount /mnt
must fsck.lcpfs -n --data $DISKS
