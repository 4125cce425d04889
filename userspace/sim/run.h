// SPDX-License-Identifier: GPL-2.0-only
// One run of the core on simulated disks: the devices, the open pool, the workers, and the log of it all.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "userspace/sim/crash.h"
#include "userspace/sim/disk.h"
#include "userspace/sim/worker.h"

namespace lcpfs::sim {

struct Options {
    u64 first_seed { 1 }, last_seed { 0 }; // 0: the default number of them
    u64 operations { 0 };                  // 0: chosen by seed
    u64 threads { 0 };
    u64 points { 0 };                      // crash points per seed; 0: the default
    std::string point;                     // only this one: "position.variant"
    std::string kind { "all" };
    std::string broken;
    unsigned jobs { 0 };                   // processes at once; 0: one per processor
    bool verbose { false };
};

// What one kind of test does for one seed, in a process of its own. Gives how many things it checked
// (crash points, faults, ...); what is wrong ends the process by fail().
u64 run_crash(u64 seed, const Options& options);
u64 run_evacuate(u64 seed, const Options& options);
u64 run_fault(u64 seed, const Options& options);
u64 run_no_space(u64 seed, const Options& options);
u64 run_full(u64 seed, const Options& options);
u64 run_mutate(u64 seed, const Options& options);
u64 run_repair(u64 seed, const Options& options);
u64 run_out_of_memory(u64 seed, const Options& options);
u64 run_path(u64 seed, const Options& options);
u64 run_log_device(u64 seed, const Options& options);
u64 run_log_mirror(u64 seed, const Options& options);
u64 run_log(u64 seed, const Options& options);
u64 run_partition(u64 seed, const Options& options);

struct PoolShape {
    u32 disks { 2 };
    u64 disk_bytes { 32u << 20 };
    u64 log_disk_bytes { 0 };    // of further ones, the last; 0: none
    u32 log_disks { 1 };         // so many, when there are any
    void add_log_device(Random& random);
    core_format_options format {};
    u64 latency_ns { 60000 };
};
// `may_have_log`: one in four has a log device.
PoolShape random_shape(Random& random, bool may_have_log = false);

class Run {
public:
    // Over images that the caller keeps. Latency 0 leaves order to chance but not time.
    Run(const std::vector<Image*>& images, u64 latency_ns, bool keep_log = true);
    ~Run();

    void format(const core_format_options& options);
    int try_open(bool read_only, bool no_recovery = false);
    // Fails the run when it cannot. Read-only what has a log to replay is refused: then it is opened for writing, or
    // with `no_recovery` as it was committed.
    void open(bool read_only, bool no_recovery = false);
    bool opened_read_only() const { return m_read_only; }
    int close();                 // gives core_pool_close's result; checks that nothing is left behind
    void abandon();              // core_pool_shutdown, then close: nothing more reaches the disks
    bool is_open() const { return m_pool != nullptr; }
    core_pool* pool() { return m_pool; }
    // By its name; it stays in use until the pool is closed. Written as `compression` says.
    core_dataset* dataset(const std::string& name = {});
    IoLog& log() { return m_log; }
    std::vector<std::unique_ptr<Disk>>& disks() { return m_disks; }
    std::vector<host_bdev*> bdevs() const;

    // Every pass of the checker, once what goes on in the background has ended; `tolerant` accepts problems and gives their number.
    u64 check(bool read_data, bool tolerant = false);
    int sync();                  // core_pool_sync(wait); acknowledges for every worker
    int sync_object(core_object* object); // the same by core_object_sync
    bool frozen() const { return m_frozen; }
    core_pool_status status();

    std::vector<std::unique_ptr<Worker>> workers;
    // Runs the workers as threads of their own, to the end.
    void operate(u64 operations_each);

    // Rises with each call: what began and ended before what.
    u64 next_moment() { return ++m_moment; }

    u64 txg_interval_ms { 1000 };
    u64 cache_limit_bytes { 0 };
    bool discard_log { false }; // recover=discard-log
    // A core_compression for new data, as by the mount option. try_open draws it: half of the runs write without.
    int compression { CORE_COMPRESSION_OFF };

private:
    int sync_by(const std::function<int()>& sync);
    // What a check said, and how it ended.
    struct Checked {
        std::string text;
        u64 count { 0 };
        int error { 0 };
    };
    void check_once(bool read_data, Checked& checked);

    IoLog m_log;
    bool m_keep_log;
    std::vector<std::unique_ptr<Disk>> m_disks;
    core_pool* m_pool { nullptr };
    std::map<std::string, core_dataset*> m_datasets;
    u64 m_memory_before { 0 };
    u64 m_moment { 0 };
    bool m_frozen { false };
    bool m_read_only { false };
};

}
