// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "userspace/common/devices.h"
#include "userspace/common/message.h"
#include "userspace/fsck/fsck.h"

namespace lcpfs::tool {

namespace {

struct Watcher {
    const std::function<bool()>& counts;
    Progress progress { "checking" };

    static void problem(void* self, const char* text)
    {
        if (static_cast<Watcher*>(self)->counts())
            fmt::print("{}\n", text);
    }
    static void advance(void* self, uint64_t done, uint64_t total) { static_cast<Watcher*>(self)->progress.update(done, total); }
};

}

int check_pool(core_pool* pool, const Options& options, const std::function<bool()>& counts)
{
    core_pool_status status;
    core_pool_get_status(pool, &status);
    core_check_report report {};
    int error;
    {
        Watcher watcher { counts };
        error = core_check(pool, options.data, Watcher::problem, Watcher::advance, &watcher, &report);
    }
    if (!counts())
        return k_operational;
    if (error) {
        complain("the check could not be finished: {}", reason(error));
        return k_operational;
    }
    if (!options.quiet)
        fmt::print("{}: {}, group {}: {} objects, {} directories, {} names, {} extents, {} nodes, {} of {} blocks in use\n", status.name,
                   report.problems ? fmt::format("{} problems", report.problems) : "clean", status.committed_txg, report.objects,
                   report.directories, report.names, report.extents, report.nodes, report.blocks_used, status.total_blocks);
    return report.problems ? k_uncorrected : k_clean;
}

int check(const Options& options)
{
    OpenPool pool;
    const int opened = pool.open(options.paths);
    if (opened)
        return opened == -EUCLEAN ? k_uncorrected : k_operational;
    return check_pool(pool.get(), options, [] { return true; });
}

}
