// SPDX-License-Identifier: GPL-2.0-only
// Threads on one file, each with a stripe of its own whose ends lie anywhere in a page, against a model of its bytes: read, write,
// mapped, direct, cut, punched, zeroed, moved, cloned and deduplicated in any order. A stripe's bytes are its thread's alone, pages and
// blocks are not. What changes the size, or looks at all of it, has the file to itself. What the filesystem does not know is left out.
#include "userspace/torture/torture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace torture {

namespace {

constexpr uint64_t k_block = 4096, k_sector = 512;
constexpr uint64_t k_file_bytes = 640 * 1024 + 777;
constexpr uint64_t k_most_threads = 8, k_most_bytes = 48 * 1024;

enum Kind : unsigned {
    k_write, k_read, k_map_write, k_map_read, k_direct_write, k_direct_read, k_punch, k_zero, k_allocate, k_unshare, k_clone_source,
    k_clone_self, k_dedupe, k_copy, k_sync, k_forget, k_shared_kinds,
    // alone with the file
    k_truncate = k_shared_kinds, k_collapse, k_insert, k_snapshot, k_check_all, k_kinds
};
constexpr const char* k_names[k_kinds] = { "write", "read", "map-write", "map-read", "direct-write", "direct-read", "punch", "zero",
                                           "allocate", "unshare", "clone", "clone-self", "dedupe", "copy", "sync", "forget", "truncate",
                                           "collapse", "insert", "snapshot", "check" };

struct File {
    int fd, direct, source, snapshot;
    uint64_t size { 0 };
    bool has_snapshot { false };
    uint64_t snapshot_size { 0 };
    unsigned char bytes[k_file_bytes + k_block] {}, snapshot_bytes[k_file_bytes + k_block] {}, source_bytes[k_file_bytes] {};
    bool unknown[k_kinds] {};     // the filesystem does not know it
    pthread_rwlock_t lock;
    uint64_t threads;
};
File file;

struct Piece {
    uint64_t at, bytes;
    uint64_t end() const { return at + bytes; }
};

struct Worker {
    pthread_t thread;
    Random random { 1 };
    Piece stripe;
    uint64_t operations, done[k_kinds] {};
    unsigned char buffer[k_most_bytes] __attribute__((aligned(4096)));
    unsigned char other[k_most_bytes] __attribute__((aligned(4096)));
};
Worker workers[k_most_threads];

// Some bytes of the stripe that are in the file; whole units of `align` when that is more than one. Empty: there are none.
Piece draw(Worker& worker, uint64_t align = 1)
{
    const uint64_t end = worker.stripe.end() < file.size ? worker.stripe.end() : file.size;
    if (worker.stripe.at >= end)
        return { 0, 0 };
    uint64_t at = worker.stripe.at + worker.random.below(end - worker.stripe.at);
    uint64_t bytes = 1 + worker.random.below(worker.random.one_in(4) ? k_most_bytes - k_block : 3 * k_block);
    if (worker.random.one_in(3))
        at &= ~(k_block - 1);
    if (at < worker.stripe.at)
        at = worker.stripe.at;
    at = (at + align - 1) / align * align;
    if (align > 1)
        bytes = (bytes + align - 1) / align * align;
    if (at >= end)
        return { 0, 0 };
    if (at + bytes > end)
        bytes = (end - at) / align * align;
    return { at, bytes };
}

void expect(bool good, const Piece& piece, Kind kind)
{
    if (!good)
        fail("%s at %llu of %llu bytes, file of %llu: %s", k_names[kind], static_cast<unsigned long long>(piece.at),
             static_cast<unsigned long long>(piece.bytes), static_cast<unsigned long long>(file.size), strerror(errno));
}

void compare(const unsigned char* found, const unsigned char* expected, const Piece& piece, Kind kind)
{
    for (uint64_t i = 0; i < piece.bytes; i++)
        if (found[i] != expected[i])
            fail("%s: byte %llu of the file is %02x, not %02x (of %llu bytes from %llu on; file of %llu)", k_names[kind],
                 static_cast<unsigned long long>(piece.at + i), found[i], expected[i], static_cast<unsigned long long>(piece.bytes),
                 static_cast<unsigned long long>(piece.at), static_cast<unsigned long long>(file.size));
}

void fill(Worker& worker, const Piece& piece)
{
    const uint64_t word = worker.random.next();
    // What compresses, and what does not.
    const uint64_t varies = worker.random.one_in(3);
    for (uint64_t i = 0; i < piece.bytes; i++)
        worker.buffer[i] = static_cast<unsigned char>((word >> i % 8 * 8) + i / 251 + varies * (i * word >> 40));
}

void write_some(Worker& worker, Kind kind)
{
    const Piece piece = draw(worker, kind == k_direct_write ? worker.random.one_in(2) ? k_block : k_sector : 1);
    if (!piece.bytes)
        return;
    fill(worker, piece);
    const int fd = kind == k_direct_write ? file.direct : file.fd;
    expect(pwrite(fd, worker.buffer, piece.bytes, static_cast<off_t>(piece.at)) == static_cast<ssize_t>(piece.bytes), piece, kind);
    memcpy(file.bytes + piece.at, worker.buffer, piece.bytes);
}

void read_some(Worker& worker, Kind kind)
{
    const Piece piece = draw(worker, kind == k_direct_read ? k_sector : 1);
    if (!piece.bytes)
        return;
    const int fd = kind == k_direct_read ? file.direct : file.fd;
    expect(pread(fd, worker.buffer, piece.bytes, static_cast<off_t>(piece.at)) == static_cast<ssize_t>(piece.bytes), piece, kind);
    compare(worker.buffer, file.bytes + piece.at, piece, kind);
}

void map_some(Worker& worker, Kind kind)
{
    const Piece piece = draw(worker);
    if (!piece.bytes)
        return;
    const uint64_t from = piece.at & ~(k_block - 1);
    void* const memory = mmap(nullptr, piece.end() - from, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, static_cast<off_t>(from));
    expect(memory != MAP_FAILED, piece, kind);
    unsigned char* const mine = static_cast<unsigned char*>(memory) + (piece.at - from);
    if (kind == k_map_write) {
        fill(worker, piece);
        memcpy(mine, worker.buffer, piece.bytes);
        memcpy(file.bytes + piece.at, worker.buffer, piece.bytes);
        if (worker.random.one_in(8))
            expect(!msync(memory, piece.end() - from, MS_SYNC), piece, kind);
    } else {
        compare(mine, file.bytes + piece.at, piece, kind);
    }
    munmap(memory, piece.end() - from);
}

// False: not known here, now and for ever.
bool allocate_mode(int mode, const Piece& piece, Kind kind)
{
    if (!fallocate(file.fd, mode, static_cast<off_t>(piece.at), static_cast<off_t>(piece.bytes)))
        return true;
    expect(errno == EOPNOTSUPP, piece, kind);
    file.unknown[kind] = true;
    return false;
}

void zero_some(Worker& worker, Kind kind)
{
    const Piece piece = draw(worker);
    if (!piece.bytes)
        return;
    const int what = kind == k_punch ? FALLOC_FL_PUNCH_HOLE
        : kind == k_zero             ? FALLOC_FL_ZERO_RANGE
        : kind == k_unshare          ? FALLOC_FL_UNSHARE_RANGE
                                     : 0;
    if (allocate_mode(what | FALLOC_FL_KEEP_SIZE, piece, kind) && (kind == k_punch || kind == k_zero))
        memset(file.bytes + piece.at, 0, piece.bytes);
}

void clone_some(Worker& worker, Kind kind)
{
    const Piece to = draw(worker, k_block);
    Piece from = kind == k_clone_source ? to : draw(worker, k_block);
    if (!to.bytes || !from.bytes)
        return;
    const uint64_t bytes = to.bytes < from.bytes ? to.bytes : from.bytes;
    if (kind != k_clone_source && from.at < to.at + bytes && to.at < from.at + bytes)
        return;
    if (kind == k_copy) {
        off_t in = static_cast<off_t>(from.at), out = static_cast<off_t>(to.at);
        const ssize_t copied = copy_file_range(file.fd, &in, file.fd, &out, bytes, 0);
        expect(copied > 0, to, kind);
        memcpy(file.bytes + to.at, file.bytes + from.at, static_cast<size_t>(copied));
        return;
    }
    const file_clone_range range { kind == k_clone_source ? file.source : file.fd, from.at, bytes, to.at };
    if (ioctl(file.fd, FICLONERANGE, &range)) {
        expect(errno == EOPNOTSUPP, to, kind);
        file.unknown[kind] = true;
        return;
    }
    memcpy(file.bytes + to.at, (kind == k_clone_source ? file.source_bytes : file.bytes) + from.at, bytes);
}

// The same bytes written to two places, then made one.
void dedupe_some(Worker& worker)
{
    Piece from = draw(worker, k_block), to = draw(worker, k_block);
    from.bytes = to.bytes = from.bytes < to.bytes ? from.bytes : to.bytes;
    if (!to.bytes || (from.at < to.end() && to.at < from.end()))
        return;
    memcpy(worker.buffer, file.bytes + from.at, from.bytes);
    expect(pwrite(file.fd, worker.buffer, to.bytes, static_cast<off_t>(to.at)) == static_cast<ssize_t>(to.bytes), to, k_dedupe);
    memcpy(file.bytes + to.at, worker.buffer, to.bytes);
    alignas(file_dedupe_range) unsigned char memory[sizeof(file_dedupe_range) + sizeof(file_dedupe_range_info)] {};
    file_dedupe_range& request = *reinterpret_cast<file_dedupe_range*>(memory);
    request.src_offset = from.at;
    request.src_length = from.bytes;
    request.dest_count = 1;
    request.info[0].dest_fd = file.fd;
    request.info[0].dest_offset = to.at;
    if (ioctl(file.fd, FIDEDUPERANGE, &request) || request.info[0].status == -EOPNOTSUPP) {
        file.unknown[k_dedupe] = true;
        return;
    }
    expect(request.info[0].status == FILE_DEDUPE_RANGE_SAME && request.info[0].bytes_deduped == from.bytes, to, k_dedupe);
}

void sync_some(Worker& worker)
{
    const Piece piece = draw(worker);
    switch (worker.random.below(3)) {
    case 0:
        return expect(!fsync(file.fd), piece, k_sync);
    case 1:
        return expect(!fdatasync(file.fd), piece, k_sync);
    default:
        expect(!sync_file_range(file.fd, static_cast<off_t>(piece.at), static_cast<off_t>(piece.bytes), SYNC_FILE_RANGE_WRITE), piece,
               k_sync);
    }
}

void check_all(Worker& worker, int fd, const unsigned char* expected, uint64_t size)
{
    struct stat status;
    expect(!fstat(fd, &status) && static_cast<uint64_t>(status.st_size) == size, { 0, size }, k_check_all);
    for (uint64_t at = 0; at < size; at += k_most_bytes) {
        const Piece piece { at, size - at < k_most_bytes ? size - at : k_most_bytes };
        expect(pread(fd, worker.other, piece.bytes, static_cast<off_t>(at)) == static_cast<ssize_t>(piece.bytes), piece, k_check_all);
        compare(worker.other, expected + at, piece, k_check_all);
    }
}

void truncate_file(Worker& worker)
{
    const uint64_t cut = worker.random.below(file.size + 1);
    const uint64_t size = worker.random.one_in(3) ? k_file_bytes / 2 + worker.random.below(k_file_bytes / 2) : k_file_bytes;
    expect(!ftruncate(file.fd, static_cast<off_t>(cut)) && !ftruncate(file.fd, static_cast<off_t>(size)), { cut, size }, k_truncate);
    memset(file.bytes + cut, 0, sizeof(file.bytes) - cut);
    file.size = size;
}

// Some blocks taken out of the middle, or put in; then the size is as it was.
void move_file(Worker& worker, Kind kind)
{
    const uint64_t blocks = file.size / k_block;
    if (blocks < 4)
        return;
    const uint64_t count = 1 + worker.random.below(blocks / 4);
    const Piece piece { worker.random.below(blocks - count) * k_block, count * k_block };
    if (!allocate_mode(kind == k_collapse ? FALLOC_FL_COLLAPSE_RANGE : FALLOC_FL_INSERT_RANGE, piece, kind))
        return;
    if (kind == k_collapse) {
        memmove(file.bytes + piece.at, file.bytes + piece.end(), file.size - piece.end());
        memset(file.bytes + file.size - piece.bytes, 0, piece.bytes);
    } else {
        memmove(file.bytes + piece.end(), file.bytes + piece.at, file.size - piece.end());
        memset(file.bytes + piece.at, 0, piece.bytes);
    }
    expect(!ftruncate(file.fd, static_cast<off_t>(file.size)), piece, kind);
}

// What a clone of the whole file was stays, whatever happens to the file.
void take_snapshot(Worker& worker)
{
    if (file.has_snapshot)
        check_all(worker, file.snapshot, file.snapshot_bytes, file.snapshot_size);
    expect(!ftruncate(file.snapshot, 0), { 0, 0 }, k_snapshot);
    if (ioctl(file.snapshot, FICLONE, file.fd)) {
        expect(errno == EOPNOTSUPP, { 0, file.size }, k_snapshot);
        file.unknown[k_snapshot] = true;
        return;
    }
    memcpy(file.snapshot_bytes, file.bytes, file.size);
    file.snapshot_size = file.size;
    file.has_snapshot = true;
}

void run_kind(Worker& worker, Kind kind)
{
    switch (kind) {
    case k_write:
    case k_direct_write:
        return write_some(worker, kind);
    case k_read:
    case k_direct_read:
        return read_some(worker, kind);
    case k_map_write:
    case k_map_read:
        return map_some(worker, kind);
    case k_punch:
    case k_zero:
    case k_allocate:
    case k_unshare:
        return zero_some(worker, kind);
    case k_clone_source:
    case k_clone_self:
    case k_copy:
        return clone_some(worker, kind);
    case k_dedupe:
        return dedupe_some(worker);
    case k_sync:
        return sync_some(worker);
    case k_forget:
        posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED);
        return;
    case k_truncate:
        return truncate_file(worker);
    case k_collapse:
    case k_insert:
        return move_file(worker, kind);
    case k_snapshot:
        return take_snapshot(worker);
    default:
        return check_all(worker, file.fd, file.bytes, file.size);
    }
}

void* work(void* argument)
{
    Worker& worker = *static_cast<Worker*>(argument);
    for (uint64_t i = 0; i < worker.operations; i++) {
        Kind kind = static_cast<Kind>(worker.random.below(worker.random.one_in(40) ? k_kinds + 0u : k_shared_kinds + 0u));
        if (kind == k_sync && !worker.random.one_in(4))
            kind = k_write;
        const bool alone = kind >= k_shared_kinds;
        if (alone)
            pthread_rwlock_wrlock(&file.lock);
        else
            pthread_rwlock_rdlock(&file.lock);
        if (!file.unknown[kind]) {
            run_kind(worker, kind);
            worker.done[kind]++;
        }
        pthread_rwlock_unlock(&file.lock);
    }
    return nullptr;
}

int open_file(const char* path, const char* end, int flags)
{
    char name[300];
    snprintf(name, sizeof(name), "%s%s", path, end);
    const int fd = open(name, O_RDWR | O_CREAT | flags, 0600);
    must(fd >= 0, name);
    return fd;
}

}

int fsx(int count, char** words)
{
    if (count != 4)
        fail("fsx FILE THREADS OPERATIONS SEED");
    file.threads = strtoull(words[1], nullptr, 10);
    const uint64_t operations = strtoull(words[2], nullptr, 10), seed = strtoull(words[3], nullptr, 10);
    if (file.threads < 1 || file.threads > k_most_threads)
        fail("1 to %llu threads", static_cast<unsigned long long>(k_most_threads));
    pthread_rwlock_init(&file.lock, nullptr);
    file.fd = open_file(words[0], "", O_TRUNC);
    file.direct = open_file(words[0], "", O_DIRECT);
    file.snapshot = open_file(words[0], ".snapshot", O_TRUNC);
    file.source = open_file(words[0], ".source", O_TRUNC);
    for (uint64_t i = 0; i < k_file_bytes; i++)
        file.source_bytes[i] = static_cast<unsigned char>(i / 7 + i / 4096 * 31);
    must(pwrite(file.source, file.source_bytes, k_file_bytes, 0) == static_cast<ssize_t>(k_file_bytes), "writing the source");
    must(!ftruncate(file.fd, static_cast<off_t>(k_file_bytes)), "setting the size");
    file.size = k_file_bytes;
    const uint64_t each = k_file_bytes / file.threads;
    for (uint64_t i = 0; i < file.threads; i++) {
        Worker& worker = workers[i];
        worker.random = Random(seed * 100 + i);
        worker.stripe = { i * each, i + 1 == file.threads ? k_file_bytes - i * each : each };
        worker.operations = operations / file.threads;
        errno = pthread_create(&worker.thread, nullptr, work, &worker);
        must(errno == 0, "starting a thread");
    }
    uint64_t done[k_kinds] {};
    for (uint64_t i = 0; i < file.threads; i++) {
        pthread_join(workers[i].thread, nullptr);
        for (unsigned kind = 0; kind < k_kinds; kind++)
            done[kind] += workers[i].done[kind];
    }
    posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED);
    check_all(workers[0], file.fd, file.bytes, file.size);
    check_all(workers[0], file.source, file.source_bytes, k_file_bytes);
    for (unsigned kind = 0; kind < k_kinds; kind++)
        printf("%s %llu, ", k_names[kind], static_cast<unsigned long long>(done[kind]));
    puts("all as it should be");
    return 0;
}

}
