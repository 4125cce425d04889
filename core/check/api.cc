// SPDX-License-Identifier: GPL-2.0-only
// core_check, core_dump and core_dump_device of core/api/core.h.
#include "core/check/checker.h"
#include "core/check/dump.h"

using namespace lcpfs;

static int as_errno(Status status) { return -errno_of(status.error()); }

extern "C" int core_check(core_pool* pool, bool read_data, void (*problem)(void*, const char*), void (*progress)(void*, uint64_t, uint64_t), void* context,
                          core_check_report* report)
{
    *report = {};
    Findings findings(problem, progress, context, *report);
    auto checker = Checker::create(*reinterpret_cast<Pool*>(pool), findings, read_data);
    return checker.is_error() ? as_errno(checker.error()) : as_errno(checker.value()->run());
}

extern "C" int core_dump(core_pool* pool, const char* what, void (*line)(void*, const char*), void* context)
{
    return as_errno(dump_pool(*reinterpret_cast<Pool*>(pool), what, Lines(line, context)));
}

extern "C" int core_dump_device(host_bdev* bdev, const char* what, void (*line)(void*, const char*), void* context)
{
    return as_errno(dump_device(bdev, what, Lines(line, context)));
}
