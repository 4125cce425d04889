// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/log_devices.h"

#include <stdlib.h>

#include <algorithm>

#include "userspace/sim/failure.h"
#include "userspace/sim/prepare.h"

namespace lcpfs::sim {

void fail_writes_now_and_then(Disk& disk, Random& random)
{
    static constexpr host_io_status k_statuses[] = { HOST_IO_MEDIUM, HOST_IO_ERROR, HOST_IO_TIMEOUT, HOST_IO_TRANSPORT, HOST_IO_OFFLINE };
    Fault fault { FaultKind::error, HOST_IO_WRITE };
    fault.status = k_statuses[random.below(5)];
    fault.skip = random.one_in(6) ? 0 : random.below(80);
    fault.count = random.one_in(2) ? k_never : random.between(1, 6);
    disk.faults.push_back(fault);
}

void add_syncing_workers(Run& run, const std::vector<u64>& roots, Random& choice)
{
    run.txg_interval_ms = choice.one_in(2) ? 1000 : 5000;
    run.open(false);
    const u64 logged_percent = choice.one_in(3) ? 100 : choice.below(80);
    const u64 sync_percent = choice.one_in(2) ? 60 : 20;
    for (size_t i = 0; i < roots.size(); i++) {
        WorkerOptions how;
        how.number = static_cast<u32>(i);
        how.root = roots[i];
        how.mix = static_cast<Mix>(choice.below(3));
        how.sync_percent = sync_percent;
        how.logged_percent = logged_percent;
        how.largest_file_blocks = 60;
        how.objects = 40;
        add_worker(run, how, choice.next());
    }
}

void same_trees(const char* what, const std::vector<Tree>& expected, const std::vector<Tree>& found)
{
    for (size_t i = 0; i < expected.size(); i++)
        if (expected[i].hash() != found[i].hash())
            fail("%s: worker %zu:%s", what, i, expected[i].difference(found[i], false).c_str());
}

std::vector<u64> points_of(const Options& options, u64 wanted, u64 end, Random& choice)
{
    std::vector<u64> points;
    if (!options.point.empty())
        points.push_back(strtoull(options.point.c_str(), nullptr, 10));
    else
        for (u64 i = 0; i < wanted; i++)
            points.push_back(i == 0 ? end : choice.below(end + 1));
    std::sort(points.begin(), points.end());
    return points;
}

}
