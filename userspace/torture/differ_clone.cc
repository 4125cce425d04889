// SPDX-License-Identifier: GPL-2.0-only
// Cloning and deduplication of ranges, as `torture differ` calls them.
#include "userspace/torture/differ.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace torture {

bool can_clone(int directory)
{
    const int fd = openat(directory, ".", O_TMPFILE | O_RDWR, 0600);
    const int other = openat(directory, ".", O_TMPFILE | O_RDWR, 0600);
    must(fd >= 0 && other >= 0 && write(fd, "clone", 5) == 5, "making files");
    const bool can = ioctl(other, FICLONE, fd) == 0;
    must(can || errno == EOPNOTSUPP || errno == ENOTTY, "cloning");
    close(fd);
    close(other);
    return can;
}

static long dedupe(int from, int to, const file_clone_range& range, uint64_t& content)
{
    alignas(file_dedupe_range) unsigned char memory[sizeof(file_dedupe_range) + sizeof(file_dedupe_range_info)] {};
    file_dedupe_range& request = *reinterpret_cast<file_dedupe_range*>(memory);
    request.src_offset = range.src_offset;
    request.src_length = range.src_length;
    request.dest_count = 1;
    request.info[0].dest_fd = to;
    request.info[0].dest_offset = range.dest_offset;
    const long result = ioctl(from, FIDEDUPERANGE, &request);
    content = request.info[0].bytes_deduped * 64 + static_cast<uint64_t>(request.info[0].status + 200);
    return result;
}

long call_clone(int from, int to, uint64_t number, uint64_t offset, uint64_t length, uint64_t& content)
{
    content = 0;
    const uint64_t mask = number % 16 ? ~4095ull : ~0ull; // what is not whole blocks is refused, but at the end of a file
    file_clone_range range { from, offset & mask, (length * (number % 3 + 1) + 4095) & mask, number / 64 % 300000 & mask };
    if (number % 5 == 0)
        range.src_length = 0; // all there is
    switch (number / 16 % 4) {
    case 0:
        return ioctl(to, FICLONE, from);
    case 1:
        return dedupe(from, to, range, content);
    default:
        return ioctl(to, FICLONERANGE, &range);
    }
}

}
