// SPDX-License-Identifier: GPL-2.0-only
// PathProbe: reads the probe block down a path and says whether the path leads to its disk; on request first writes
// a new nonce down another path, which proves that both lead to one disk.
//
// Asynchronous, since a probe goes to what may never answer: each step runs as a work item, and between them nothing
// waits. One at a time per object. The requests are counted in the depth of the paths they go down, so that no path is
// gone while one is under way.
#pragma once

#include "core/format/probe_format.h"
#include "core/host/locks.h"
#include "core/mpio/path_table.h"

namespace lcpfs {

// What the paths of one pool have in common.
struct PathShared {
    DiskGuid pool_guid {};
    char pool_name[k_pool_name_bytes] {}; // for the log; empty: none
    host_workqueue* queue { nullptr };
    host_io_pool* requests { nullptr }; // probes, and copies of requests
    host_pool* pages { nullptr };
    // Tells the thread that keeps time that something is due earlier than it thinks. Any context.
    void (*wake)(void* context) { nullptr };
    void* context { nullptr };
};

struct ProbeNonce {
    u64 sequence { 0 }; // of the group since the mount, from 1
    u64 random { 0 };
    bool operator==(const ProbeNonce&) const = default;
};

// The last nonces of a group. Several, since a block may be read while the next is being written. Locked by the group.
class ProbeNonces {
public:
    ProbeNonce next(u64 random)
    {
        m_newest++;
        return m_ring[m_newest % k_kept] = { m_newest, random };
    }
    u64 newest() const { return m_newest; }
    bool knows(const ProbeNonce& nonce, u64 at_least) const
    {
        return nonce.sequence != 0 && nonce.sequence >= at_least && m_ring[nonce.sequence % k_kept] == nonce;
    }

private:
    static constexpr u64 k_kept = 8;
    u64 m_newest { 0 };
    ProbeNonce m_ring[k_kept];
};

void seal_probe(DiskProbe& probe);
// not_found: no probe block; device_foreign: of another disk; node_checksum: damaged.
Status verify_probe(const DiskProbe& probe, const DiskGuid& pool_guid, const DiskGuid& vdev_guid);

enum class ProbeOutcome : u8 {
    good,
    no_answer,     // the read failed
    other_disk,    // it was answered by a disk that is not the one
    unclear,       // the nonce could not be written, or the block was being written: nothing is known
};

class PathProbe {
public:
    struct Job {
        Path* path;              // its depth counted up by the caller, as the writer's
        Path* writer;            // null: only read
        ProbeNonce nonce;        // to be written
        DiskGuid vdev_guid;
        u64 failures_before;     // of the path
        // Whether a nonce found is one of ours, not older than `at_least`.
        bool (*knows)(void* context, const ProbeNonce& nonce, u64 at_least);
        void (*done)(void* context, PathProbe& probe, ProbeOutcome outcome, u32 latency_us); // a work item; sleepable
        void* context;
    };

    static Result<Box<PathProbe>> create(const PathShared& shared);
    ~PathProbe();

    // False when it runs already. Any context.
    bool start(const Job& job);
    bool is_running() const { return m_running.load() != 0; }
    // Of the probe that called `done`, inside it; which ends with `release`, after which it may be started again.
    Path* last_path() const { return m_job.path; }
    Path* last_writer() const { return m_job.writer; }
    u64 failures_before() const { return m_job.failures_before; }
    void release() { m_running.store(0); }
    // Between start and the end of the nonce's write: no second one may be written.
    bool is_writing() const { return m_writing.load() != 0; }

private:
    enum class Step : u8 { begin, written, read };
    explicit PathProbe(const PathShared& shared) : m_shared(shared) {}
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    static void run(host_work* work);
    void step();
    void send(host_io_op op, Path& path, Step next);
    void finish(ProbeOutcome outcome);
    ProbeOutcome judge() const;

    host_work m_work; // first: run() finds the probe by it
    const PathShared& m_shared;
    Job m_job {};
    DiskProbe* m_block { nullptr };
    Step m_step { Step::begin };
    host_io_status m_status { HOST_IO_OK };
    u64 m_sent_ns { 0 };
    u32 m_latency_us { 0 };
    Atomic<u8> m_running { 0 }, m_writing { 0 };
};

}
