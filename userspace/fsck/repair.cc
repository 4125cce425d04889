// SPDX-License-Identifier: GPL-2.0-only
#include "core/repair/repair.h"

#include <errno.h>

#include "userspace/common/devices.h"
#include "userspace/common/message.h"
#include "userspace/fsck/fsck.h"
#include "userspace/fsck/losses.h"

namespace lcpfs::tool {

namespace {

// For writing, and closed again: the log is replayed, interrupted removals go on, bitmaps that are not there are made. What is in the way
// says the core.
int open_once(const Devices& devices, bool discard_log)
{
    core_pool_options options {};
    options.errors = CORE_ERRORS_REMOUNT_RO;
    options.discard_log = discard_log;
    core_pool* pool = nullptr;
    if (const int error = core_pool_open(devices.data(), devices.count(), &options, &pool))
        return error;
    return core_pool_close(pool);
}

struct Watcher {
    Progress progress { "repairing" };
    static void say(void*, const char* text) { fmt::print("{}\n", text); }
    static void advance(void* self, uint64_t done, uint64_t total) { static_cast<Watcher*>(self)->progress.update(done, total); }
};

bool repair_once(const Devices& devices, const Options& options, RepairOutcome& repaired)
{
    core_check_report report {};
    Watcher watcher;
    Findings findings(Watcher::say, Watcher::advance, &watcher, report);
    Result<RepairOutcome> outcome = repair_pool({ devices.data(), devices.count() }, options.group, findings);
    if (outcome.is_error()) {
        if (options.group && outcome.error() == Error::no_uberblock)
            complain("{}: there is no transaction group {} any more", options.paths.front(), options.group);
        else
            complain("{}: cannot be repaired: {}", options.paths.front(), text_of(outcome.error()));
        if (outcome.error() == Error::node_damaged || outcome.error() == Error::no_uberblock)
            complain("lcpfs dump DEVICE uberblocks lists the groups there are; fsck.lcpfs -y --rewind GROUP goes back to one");
        return false;
    }
    repaired = outcome.release_value();
    if (!options.quiet)
        fmt::print("group {} repaired as group {}\n", repaired.group, repaired.new_group);
    return true;
}

bool is_about_devices(int error) { return error == -ENXIO || error == -EINVAL || error == -ENOMEM || error == -EROFS || error == -EBUSY; }

// Of a pool that has just been repaired. The log is dropped only when it is found twice not to fit, as a device's trouble of a moment may
// look like that; and not when a device only gives it now: that is for its owner to say.
int finish(const Options& options, const RepairOutcome& repaired)
{
    Devices devices;
    if (!devices.open(options.paths, false, Devices::Use::alone))
        return k_operational;
    int error = open_once(devices, false);
    if (error == -EUCLEAN)
        error = open_once(devices, false);
    if (error == -EUCLEAN && !repaired.lacks_log) {
        complain("{}: what the intent log holds does not fit what is left; it is dropped", options.paths.front());
        error = open_once(devices, true);
    }
    if (error) {
        complain("{}: cannot be opened after the repair: {}", options.paths.front(), reason(error));
        return k_uncorrected;
    }
    return k_corrected;
}

// Whether there is something to repair; else `code` says how it ends.
bool needs_repair(const Options& options, int& code)
{
    int error;
    {
        Devices devices;
        code = k_operational;
        if (!devices.open(options.paths, false, Devices::Use::alone))
            return false;
        error = open_once(devices, false);
        if (is_about_devices(error))
            return false; // said by the core
    }
    code = check(options);
    if (code == k_clean && error) {
        complain("{}: nothing is wrong with what was committed, but it cannot be opened for writing: {}; mount -o recover=discard-log "
                 "gives up what only the intent log holds", options.paths.front(), reason(error));
        code = k_uncorrected;
        return false;
    }
    // Sectors that cannot be read keep a pool from being opened as damage does.
    return code == k_uncorrected || (code == k_operational && (error == -EIO || error == -EILSEQ || error == -EUCLEAN));
}

}

int repair(const Options& options)
{
    int code;
    if (!options.group && !needs_repair(options, code))
        return code;
    RepairOutcome repaired;
    {
        Devices devices;
        if (!devices.open(options.paths, false, Devices::Use::alone))
            return k_operational;
        if (!repair_once(devices, options, repaired))
            return k_uncorrected;
    }
    const int finished = finish(options, repaired);
    if (finished != k_corrected)
        return finished;
    if (const int error = print_losses(options.paths, repaired.hurt))
        complain("{}: cannot say what is lost by its name: {}", options.paths.front(), reason(error));
    const int checked = check(options);
    return checked == k_clean ? k_corrected : checked;
}

}
