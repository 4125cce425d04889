// SPDX-License-Identifier: GPL-2.0-only
// Requests past the page cache, 32 at once, on one file of which every byte is known: what a read that was under way gives is what the
// file had when it was submitted, and what was written is there for every way of reading when the request has ended. Meanwhile the
// file is cut, grown, punched, read and stored to by mappings and written through the cache.
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "userspace/torture/queue.h"

namespace torture {

namespace {

constexpr uint64_t k_block = 4096;
constexpr uint64_t k_blocks = 512;
constexpr uint64_t k_bytes = k_blocks * k_block;
constexpr uint64_t k_most = 64 * k_block; // of a request
constexpr unsigned k_depth = 32;

struct Slot {
    iocb request;
    uint8_t* memory;
    uint8_t wanted[k_most];
    uint64_t offset, bytes, due;
    bool writes, used;
};

Slot s_slots[k_depth];
uint8_t s_image[k_bytes];
uint64_t s_size;
unsigned s_writing[k_blocks], s_reading[k_blocks]; // requests under way, by block
alignas(4096) uint8_t s_buffer[k_most];

class Ground {
public:
    Ground(const char* path, uint64_t seed) : m_random(seed), m_queue(k_depth)
    {
        must(m_queue.is_open(), "io_setup");
        m_cached = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
        m_direct = open(path, O_RDWR | O_DIRECT);
        m_synced = open(path, O_RDWR | O_DIRECT | O_DSYNC);
        must(m_cached >= 0 && m_direct >= 0 && m_synced >= 0, path);
        cut(k_bytes);
        m_map = (uint8_t*)mmap(nullptr, k_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m_cached, 0);
        must(m_map != MAP_FAILED, "mmap");
        for (Slot& slot : s_slots) {
            slot.memory = (uint8_t*)mmap(nullptr, k_most + k_block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            must(slot.memory != MAP_FAILED, "mmap");
        }
    }
    void run(uint64_t operations)
    {
        for (uint64_t i = 0; i < operations; i++) {
            const uint64_t choice = m_random.below(100);
            if (choice < 70)
                start(choice < 35);
            else if (choice < 80)
                look(m_random.one_in(2));
            else if (choice < 90)
                change(m_random.one_in(2));
            else if (choice < 94)
                cut(m_random.one_in(3) ? k_bytes : m_random.below(k_bytes));
            else if (choice < 98)
                allocate();
            else
                must(fdatasync(m_cached) == 0 && posix_fadvise(m_cached, 0, 0, POSIX_FADV_DONTNEED) == 0, "fdatasync");
        }
        while (m_under_way)
            end(1);
        for (uint64_t at = 0; at < s_size; at += k_most)
            check_cached(at, at + k_most < s_size ? k_most : s_size - at);
        printf("torture: %lu reads, %lu writes\n", m_reads, m_writes);
    }

private:
    static bool any(const unsigned* counts, uint64_t offset, uint64_t bytes)
    {
        for (uint64_t block = offset / k_block; block <= (offset + bytes - 1) / k_block; block++)
            if (counts[block])
                return true;
        return false;
    }
    static void count(unsigned* counts, uint64_t offset, uint64_t bytes, int by)
    {
        for (uint64_t block = offset / k_block; block <= (offset + bytes - 1) / k_block; block++)
            counts[block] += (unsigned)by;
    }
    void pick(uint64_t unit, uint64_t most, uint64_t& offset, uint64_t& bytes)
    {
        offset = m_random.below(k_bytes / unit) * unit;
        bytes = (1 + m_random.below(most / unit)) * unit;
        if (offset + bytes > k_bytes)
            bytes = k_bytes - offset;
    }
    void fill(uint8_t* memory, uint64_t bytes)
    {
        for (uint64_t i = 0; i + 8 <= bytes; i += 8) {
            const uint64_t word = m_random.next();
            memcpy(memory + i, &word, 8);
        }
    }
    void compare(const uint8_t* found, const uint8_t* wanted, uint64_t offset, uint64_t bytes, const char* how)
    {
        for (uint64_t i = 0; i < bytes; i++)
            if (found[i] != wanted[i])
                fail("%s: byte %llu is %02x, not %02x (size %llu)", how, (unsigned long long)(offset + i), found[i], wanted[i],
                     (unsigned long long)s_size);
    }
    void wrote(uint64_t offset, const uint8_t* from, uint64_t bytes)
    {
        memcpy(s_image + offset, from, bytes);
        if (offset + bytes > s_size)
            s_size = offset + bytes;
    }

    void start(bool writes)
    {
        Slot* slot = nullptr;
        while (!slot) {
            for (Slot& each : s_slots)
                if (!each.used)
                    slot = &each;
            if (!slot)
                end(1);
        }
        uint64_t offset, bytes;
        pick(m_random.one_in(4) ? 512 : k_block, m_random.one_in(4) ? k_most : 4 * k_block, offset, bytes);
        if (any(s_writing, offset, bytes) || (writes && any(s_reading, offset, bytes)))
            return;
        uint8_t* const memory = slot->memory + (m_random.one_in(4) ? 512 * m_random.below(8) : 0);
        slot->offset = offset;
        slot->bytes = bytes;
        slot->writes = writes;
        slot->used = true;
        if (writes) {
            fill(memory, bytes);
            wrote(offset, memory, bytes);
            slot->due = bytes;
        } else {
            slot->due = offset >= s_size ? 0 : offset + bytes > s_size ? s_size - offset : bytes;
            memcpy(slot->wanted, s_image + offset, slot->due);
            memset(memory, 0xa5, bytes);
        }
        count(writes ? s_writing : s_reading, offset, bytes, 1);
        must(m_queue.submit(slot->request, writes && m_random.one_in(3) ? m_synced : m_direct, writes, memory, bytes, offset,
                            (uint64_t)(slot - s_slots)), "io_submit");
        m_under_way++;
        (writes ? m_writes : m_reads)++;
    }
    void end(long least)
    {
        io_event events[k_depth];
        const long taken = m_queue.take(events, least, k_depth);
        for (long i = 0; i < taken; i++) {
            Slot& slot = s_slots[events[i].data];
            if ((uint64_t)events[i].res != slot.due)
                fail("%s of %llu at %llu gave %lld (size %llu)", slot.writes ? "write" : "read", (unsigned long long)slot.bytes,
                     (unsigned long long)slot.offset, (long long)events[i].res, (unsigned long long)s_size);
            count(slot.writes ? s_writing : s_reading, slot.offset, slot.bytes, -1);
            slot.used = false;
            m_under_way--;
            if (!slot.writes)
                compare((uint8_t*)slot.request.aio_buf, slot.wanted, slot.offset, slot.due, "a read");
            else if (slot.offset + slot.bytes <= s_size)
                m_random.one_in(2) ? check_cached(slot.offset, slot.bytes) : check_mapped(slot.offset, slot.bytes);
        }
    }
    // Of what nobody is writing.
    void check_cached(uint64_t offset, uint64_t bytes)
    {
        must(pread(m_cached, s_buffer, bytes, (off_t)offset) == (ssize_t)bytes, "pread");
        if (!any(s_writing, offset, bytes))
            compare(s_buffer, s_image + offset, offset, bytes, "a read through the cache");
    }
    void check_mapped(uint64_t offset, uint64_t bytes)
    {
        memcpy(s_buffer, m_map + offset, bytes);
        if (!any(s_writing, offset, bytes))
            compare(s_buffer, s_image + offset, offset, bytes, "a mapping");
    }
    // So that the cache has what is being written to.
    void look(bool by_mapping)
    {
        uint64_t offset, bytes;
        pick(512, k_most, offset, bytes);
        if (offset + bytes > s_size)
            return;
        by_mapping ? check_mapped(offset, bytes) : check_cached(offset, bytes);
        if (m_under_way)
            end(0);
    }
    void change(bool by_mapping)
    {
        uint64_t offset, bytes;
        pick(8, 2 * k_block, offset, bytes);
        if ((by_mapping && offset + bytes > s_size) || any(s_writing, offset, bytes) || any(s_reading, offset, bytes))
            return;
        fill(s_buffer, bytes);
        if (by_mapping)
            memcpy(m_map + offset, s_buffer, bytes);
        else
            must(pwrite(m_cached, s_buffer, bytes, (off_t)offset) == (ssize_t)bytes, "pwrite");
        wrote(offset, s_buffer, bytes);
    }
    void cut(uint64_t size)
    {
        must(ftruncate(m_cached, (off_t)size) == 0, "ftruncate");
        if (size < k_bytes)
            memset(s_image + size, 0, k_bytes - size);
        s_size = size;
    }
    void allocate()
    {
        uint64_t offset, bytes;
        pick(k_block, k_most, offset, bytes);
        const bool punches = m_random.one_in(2);
        const int mode = FALLOC_FL_KEEP_SIZE | (punches ? FALLOC_FL_PUNCH_HOLE : 0);
        must(fallocate(m_cached, mode, (off_t)offset, (off_t)bytes) == 0, "fallocate");
        if (punches)
            memset(s_image + offset, 0, bytes);
    }

    Random m_random;
    Queue m_queue;
    int m_cached, m_direct, m_synced;
    uint8_t* m_map;
    unsigned m_under_way { 0 };
    unsigned long m_reads { 0 }, m_writes { 0 };
};

}

// Of all blocks of a file, 32 at once, only `bad` cannot be read; and a request of several gives what is in front of it.
static int queued_bad(const char* path, uint64_t bad)
{
    const int fd = open(path, O_RDONLY | O_DIRECT);
    struct stat status;
    must(fd >= 0 && fstat(fd, &status) == 0, path);
    const uint64_t blocks = (uint64_t)status.st_size / k_block;
    Queue queue(k_depth);
    must(queue.is_open(), "io_setup");
    iocb requests[k_depth];
    auto* memory = (uint8_t*)mmap(nullptr, k_depth * k_block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(memory != MAP_FAILED, "mmap");
    for (uint64_t first = 0; first < blocks; first += k_depth) {
        const uint64_t group = blocks - first < k_depth ? blocks - first : k_depth;
        for (uint64_t i = 0; i < group; i++)
            must(queue.submit(requests[i], fd, false, memory + i * k_block, k_block, (first + i) * k_block, first + i), "io_submit");
        for (uint64_t taken = 0; taken < group; taken++) {
            io_event event;
            queue.take(&event, 1, 1);
            if (event.res != (event.data == bad ? -EIO : (int64_t)k_block))
                fail("block %llu gave %lld", (unsigned long long)event.data, (long long)event.res);
        }
    }
    must(bad >= 2 && queue.submit(requests[0], fd, false, memory, 4 * k_block, (bad - 2) * k_block, 0), "io_submit");
    io_event event;
    queue.take(&event, 1, 1);
    if (event.res != 2 * (int64_t)k_block)
        fail("what is in front of block %llu gave %lld", (unsigned long long)bad, (long long)event.res);
    return 0;
}

// Reads into a mapping of another file, which is written out and read back from its disk all the time: what was on its way there must not
// change, or its checksum is wrong.
static int queued_mapped(const char* path, const char* other, uint64_t rounds)
{
    const int source = open(path, O_RDWR | O_CREAT, 0600), cached = open(other, O_RDWR | O_CREAT, 0600);
    must(source >= 0 && cached >= 0, "open");
    for (uint64_t block = 0; block < k_depth; block++) {
        memset(s_buffer, (int)(block + 1), k_block);
        must(pwrite(source, s_buffer, k_block, (off_t)(block * k_block)) == (ssize_t)k_block, path);
        must(pwrite(cached, s_buffer, k_block, (off_t)(block * k_block)) == (ssize_t)k_block, other);
    }
    must(fsync(source) == 0 && fsync(cached) == 0, "fsync");
    const int direct = open(path, O_RDONLY | O_DIRECT);
    auto* map = (uint8_t*)mmap(nullptr, k_depth * k_block, PROT_READ | PROT_WRITE, MAP_SHARED, cached, 0);
    must(direct >= 0 && map != MAP_FAILED, "mmap");
    const pid_t reader = fork();
    if (reader == 0) {
        const int past = open(other, O_RDONLY | O_DIRECT);
        for (uint64_t block = 0; past >= 0; block = (block + 1) % k_depth) {
            if (fdatasync(cached) != 0 || pread(past, s_buffer, k_block, (off_t)(block * k_block)) != (ssize_t)k_block)
                fail("block %llu of %s cannot be read back: %s", (unsigned long long)block, other, strerror(errno));
        }
        _exit(1);
    }
    must(reader > 0, "fork");
    Queue queue(k_depth);
    must(queue.is_open(), "io_setup");
    iocb requests[k_depth];
    int status = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        for (uint64_t i = 0; i < k_depth; i++)
            must(queue.submit(requests[i], direct, false, map + i * k_block, k_block, (i + round) % k_depth * k_block, i), "io_submit");
        for (uint64_t taken = 0; taken < k_depth; taken++) {
            io_event event;
            queue.take(&event, 1, 1);
            if (event.res != (int64_t)k_block)
                fail("round %llu, block %llu gave %lld", (unsigned long long)round, (unsigned long long)event.data, (long long)event.res);
        }
        for (uint64_t i = 0; i < k_depth; i++)
            if (map[i * k_block] != (i + round) % k_depth + 1 || map[(i + 1) * k_block - 1] != (i + round) % k_depth + 1)
                fail("round %llu: block %llu of the mapping is not what was read", (unsigned long long)round, (unsigned long long)i);
        if (waitpid(reader, &status, WNOHANG) != 0)
            fail("the reader has ended with status %d", status);
    }
    kill(reader, SIGKILL);
    must(waitpid(reader, &status, 0) == reader, "waitpid");
    return 0;
}

// Reads into memory that somebody else writes to all the time: every one is a whole read of something sound, and when nobody writes any
// more they give what the file has.
static int queued_scribbled(const char* path, uint64_t rounds)
{
    constexpr uint64_t k_each = 8 * k_block;
    constexpr uint64_t k_pieces = k_bytes / k_each;
    static_assert(k_pieces >= k_depth);
    const int fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
    must(fd >= 0, path);
    auto* memory = (uint8_t*)mmap(nullptr, k_depth * k_each, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(memory != MAP_FAILED, "mmap");
    for (uint64_t piece = 0; piece < k_pieces; piece++) {
        for (uint64_t block = 0; block < k_each; block += k_block)
            memset(s_buffer + block, (int)(1 + (piece + block / k_block) % 251), k_block);
        must(pwrite(fd, s_buffer, k_each, (off_t)(piece * k_each)) == (ssize_t)k_each, path);
    }
    must(fsync(fd) == 0, "fsync");
    Queue queue(k_depth);
    must(queue.is_open(), "io_setup");
    iocb requests[k_depth];
    uint64_t whole = 0;
    for (uint64_t round = 0; round <= rounds; round++) {
        const bool is_last = round == rounds;
        const pid_t writer = is_last ? 0 : fork();
        must(writer >= 0, "fork");
        while (!is_last && !writer)
            for (uint64_t at = 0; at < k_depth * k_each; at += 512)
                memory[at] ^= 0x55;
        for (uint64_t i = 0; i < k_depth; i++) {
            const uint64_t piece = (round + i) % k_pieces, bytes = (i % 2 ? 8 : 1) * k_block;
            must(queue.submit(requests[i], fd, false, memory + i * k_each, bytes, piece * k_each, bytes), "io_submit");
        }
        for (uint64_t taken = 0; taken < k_depth; taken++) {
            io_event event;
            queue.take(&event, 1, 1);
            if (event.res != (int64_t)event.data)
                fail("round %llu: a read of %llu bytes gave %lld", (unsigned long long)round, (unsigned long long)event.data,
                     (long long)event.res);
        }
        int status;
        if (!is_last)
            must(kill(writer, SIGKILL) == 0 && waitpid(writer, &status, 0) == writer, "the writer");
    }
    for (uint64_t i = 0; i < k_depth; i++)
        for (uint64_t at = 0; at < (i % 2 ? k_each : k_block); at++, whole++)
            if (memory[i * k_each + at] != 1 + ((rounds + i) % k_pieces + at / k_block) % 251)
                fail("byte %llu of read %llu is not the file's", (unsigned long long)at, (unsigned long long)i);
    printf("torture: %llu bytes compared\n", (unsigned long long)whole);
    return 0;
}

int queued(int count, char** words)
{
    if (count == 4 && !strcmp(words[1], "mapped"))
        return queued_mapped(words[0], words[2], strtoull(words[3], nullptr, 0));
    if (count == 3 && !strcmp(words[1], "bad"))
        return queued_bad(words[0], strtoull(words[2], nullptr, 0));
    if (count == 3 && !strcmp(words[1], "scribbled"))
        return queued_scribbled(words[0], strtoull(words[2], nullptr, 0));
    if (count < 3)
        fail("queued FILE OPERATIONS SEED | queued FILE bad BLOCK | queued FILE mapped OTHER ROUNDS | queued FILE scribbled ROUNDS");
    Ground ground(words[0], strtoull(words[2], nullptr, 0));
    ground.run(strtoull(words[1], nullptr, 0));
    return 0;
}

}
