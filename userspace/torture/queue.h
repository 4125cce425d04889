// SPDX-License-Identifier: GPL-2.0-only
// The kernel's queue of asynchronous requests (libaio's), without the library.
#pragma once

#include <errno.h>
#include <linux/aio_abi.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userspace/torture/torture.h"

namespace torture {

class Queue {
public:
    explicit Queue(unsigned depth) : m_is_open(syscall(SYS_io_setup, depth, &m_context) == 0) {}
    // Waits for what is under way.
    ~Queue()
    {
        if (m_is_open)
            syscall(SYS_io_destroy, m_context);
    }
    Queue(const Queue&) = delete;
    // After the constructor; otherwise errno says why not.
    bool is_open() const { return m_is_open; }

    // False: the request was refused at once (errno).
    bool submit(iocb& request, int fd, bool writes, void* memory, uint64_t bytes, uint64_t offset, uint64_t tag)
    {
        memset(&request, 0, sizeof(request));
        request.aio_data = tag;
        request.aio_lio_opcode = writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
        request.aio_fildes = (uint32_t)fd;
        request.aio_buf = (uint64_t)memory;
        request.aio_nbytes = bytes;
        request.aio_offset = (int64_t)offset;
        iocb* list = &request;
        return syscall(SYS_io_submit, m_context, 1L, &list) == 1;
    }
    // At least `least` of those that have ended, at most `most`.
    long take(io_event* events, long least, long most)
    {
        long count;
        do
            count = syscall(SYS_io_getevents, m_context, least, most, events, nullptr);
        while (count < 0 && errno == EINTR);
        must(count >= 0, "io_getevents");
        return count;
    }

private:
    aio_context_t m_context { 0 };
    bool m_is_open;
};

}
