// SPDX-License-Identifier: GPL-2.0-only
// Suites that run in a process only, since they need what the kernel has not (floating point, the repair) or take minutes in the debug
// kernel (compressed_mixed). Everything else is in core/test/suites.h.
#pragma once

#include "core/test/test.h"

#define LCPFS_PROCESS_SUITES(X) \
    X(fixed_point_model)        \
    X(compressed_mixed)         \
    X(repair_parts)             \
    X(repair_log)               \
    X(repair_trouble)           \
    X(repair)

namespace lcpfs {

#define LCPFS_DECLARE_PROCESS_SUITE(name) extern const TestSuite name##_suite;
LCPFS_PROCESS_SUITES(LCPFS_DECLARE_PROCESS_SUITE)
#undef LCPFS_DECLARE_PROCESS_SUITE

}
