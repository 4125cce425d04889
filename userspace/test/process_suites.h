// SPDX-License-Identifier: GPL-2.0-only
// Suites that run in a process only, since they need what the kernel has not: floating point. Everything else is in
// core/test/suites.h.
#pragma once

#include "core/test/test.h"

#define LCPFS_PROCESS_SUITES(X) \
    X(fixed_point_model)

namespace lcpfs {

#define LCPFS_DECLARE_PROCESS_SUITE(name) extern const TestSuite name##_suite;
LCPFS_PROCESS_SUITES(LCPFS_DECLARE_PROCESS_SUITE)
#undef LCPFS_DECLARE_PROCESS_SUITE

}
