// SPDX-License-Identifier: GPL-2.0-only
#include "core/api/handles.h"
#include "core/check/checker.h"
#include "core/check/dump.h"

using namespace lcpfs;

int core_check(core_pool* pool, bool read_data, void (*problem)(void*, const char*), void (*progress)(void*, uint64_t, uint64_t),
               void* context,
               core_check_report* report)
{
    *report = {};
    Findings findings(problem, progress, context, *report);
    auto checker = Checker::create(pool_of(pool), findings, read_data);
    return checker.is_error() ? to_errno(checker) : to_errno(checker.value()->run());
}

int core_dump(core_pool* pool, const char* what, void (*line)(void*, const char*), void* context)
{
    return to_errno(dump_pool(pool_of(pool), what, Lines(line, context)));
}

int core_dump_device(host_bdev* bdev, const char* what, void (*line)(void*, const char*), void* context)
{
    return to_errno(dump_device(bdev, what, Lines(line, context)));
}
