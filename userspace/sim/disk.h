// SPDX-License-Identifier: GPL-2.0-only
// A simulated disk, with a volatile write cache or without, and the log of everything written to it.
//
// A request completes after a random latency, so in any order. What a write carries is visible to reads from
// its completion; it is durable when it was FUA, or when a flush was submitted after its completion
// and completed. The log of a run keeps every write and flush with the positions at which they were
// submitted and completed: crash.h makes crash images of any position from it.
//
// A flush that fails by plan for the disk's own sake leaves what it should have covered in doubt for ever: a later flush
// does not make that durable, as disks and the layers above them really behave.
//
// Faults follow a plan: each rule waits for its n-th matching request and then does its damage.
// The disk also watches the core: a buffer changed while its write is under way, or two writes of one place
// in flight at once, are violations, since real disks make garbage of them.
#pragma once

#include <string>
#include <vector>

#include "userspace/host/common/bdev.h"
#include "userspace/sim/image.h"
#include "userspace/sim/random.h"

namespace lcpfs::sim {

constexpr u64 k_never = ~0ull;
constexpr u64 k_sector = 512;

struct LoggedWrite {
    u32 disk;
    bool flush;                 // carries no data
    bool preflush;
    bool fua;                   // durable when complete: asked for, or the disk has no volatile cache
    bool meta;
    u64 offset;
    std::vector<u8> data;
    u64 submitted;              // positions in the log
    u64 completed { k_never };
    bool failed { false };
    bool drops { false };       // of a flush that failed: what the cache had may never get to the disk
};

// One per run, shared by its disks. A position is the number of events (submissions and completions) so far.
struct IoLog {
    struct Event {
        u32 write;
        bool completion;
    };
    std::vector<LoggedWrite> writes;
    std::vector<Event> events;
    u64 position() const { return events.size(); }
};

enum class FaultKind { error, lost_write, misdirected_write, flip_on_read, flip_on_write, stall };

struct Fault {
    FaultKind kind;
    host_io_op op;
    u64 skip { 0 };              // matching requests that pass first
    u64 count { 1 };             // how many are hit; k_never: from then on all
    u64 from { 0 };              // byte range of the device that matches
    u64 to { k_never };
    host_io_status status { HOST_IO_MEDIUM };
};

class Disk final : public host_bdev {
public:
    // `log` may be nullptr: nothing is kept then.
    Disk(u32 index, Image& image, IoLog* log, u64 latency_ns);
    ~Disk() override;
    void submit(IoRequest& request) override;

    std::vector<Fault> faults;
    u64 faults_fired { 0 };
    u64 writes_done { 0 }, reads_done { 0 }, flushes_done { 0 }, bytes_written { 0 };
    // Gone: whatever arrives from now on fails.
    bool offline { false };
    // A way to a disk rather than a disk: how it is now. What ends while it refuses fails so (a write may still have
    // landed); what would end while it hangs ends when it no longer does.
    host_io_status refuses { HOST_IO_OK };
    u64 fails_one_in { 0 };
    u64 flips_one_in { 0 };   // reads come with a bit turned
    u64 slower_ns { 0 };
    bool hangs { false };
    Image& image() { return m_image; }
    u32 in_flight() const { return m_in_flight; }

private:
    struct Flight {
        IoRequest* request;
        u32 logged;
        u64 content; // hash of a write's data
        u64 offset, bytes;
        bool write;
    };

    const Fault* fault_for(const host_io& io);
    void complete(u64 flight);
    void finish_write(Flight& flight, const Fault* fault);

    u32 m_index;
    Image& m_image;
    IoLog* m_log;
    u64 m_latency_ns;
    std::string m_name;
    std::vector<Flight> m_flights; // by tag; free where request is null
    u32 m_in_flight { 0 };
};

}
