/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that runs out on purpose. In a process the host counts its allocations and fails one; a kernel has no
 * such switch per thread for tests, so there a case that needs it ends early.
 */
#ifndef LCPFS_TEST_FAILURE_H
#define LCPFS_TEST_FAILURE_H

#include "core/host/host.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The n-th fallible allocation of this thread from now (1: the next) fails; 0: none. False: not possible here. */
bool lcpfs_test_fail_allocation(unsigned int n);

#ifdef __cplusplus
}
#endif

#endif
