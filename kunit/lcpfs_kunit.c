// SPDX-License-Identifier: GPL-2.0-only
/*
 * lcpfs_kunit.c: the core's own test cases as KUnit suites. One suite per row of core/test/suites.h, one
 * parameter per case. The module carries the core and the kernel host inside itself, so what runs under
 * KASAN and lockdep here is what lcpfs.ko runs.
 *
 * The parameter a generator gives is a case number plus one: KUnit ends at NULL.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "core/test/run.h"
#include "core/test/suites.h"
#include "shim/host/host_module.h"

#define LCPFS_SUITE_NUMBER(name) LCPFS_SUITE_##name,
enum { LCPFS_TEST_SUITES(LCPFS_SUITE_NUMBER) LCPFS_SUITES };

static const void *next_case(unsigned int suite, const void *previous, char *description)
{
	unsigned long number = (unsigned long)previous;

	if (number >= lcpfs_test_case_count(suite))
		return NULL;
	strscpy(description, lcpfs_test_case_name(suite, number), KUNIT_PARAM_DESC_SIZE);
	return (const void *)(number + 1);
}

static void run_case(struct kunit *test, unsigned int suite)
{
	unsigned long number = (unsigned long)test->param_value - 1;
	struct lcpfs_test_result *result = kunit_kzalloc(test, sizeof(*result), GFP_KERNEL);

	if (!result) {
		KUNIT_FAIL(test, "no memory for the result");
		return;
	}
	lcpfs_test_run(suite, number, result);
	if (result->failures)
		KUNIT_FAIL(test, "%u checks failed:\n%s", result->failures, result->text);
}

#define LCPFS_DEFINE_SUITE(row)                                                        \
	static const void *lcpfs_##row##_next(const void *previous, char *description) \
	{                                                                              \
		return next_case(LCPFS_SUITE_##row, previous, description);            \
	}                                                                              \
	static void lcpfs_##row##_run(struct kunit *test)                              \
	{                                                                              \
		run_case(test, LCPFS_SUITE_##row);                                     \
	}                                                                              \
	static struct kunit_case lcpfs_##row##_cases[] = {                             \
		KUNIT_CASE_PARAM(lcpfs_##row##_run, lcpfs_##row##_next),               \
		{},                                                                    \
	};                                                                             \
	static struct kunit_suite lcpfs_##row##_suite = {                              \
		.name = "lcpfs_" #row,                                                 \
		.test_cases = lcpfs_##row##_cases,                                     \
	};
LCPFS_TEST_SUITES(LCPFS_DEFINE_SUITE)

#define LCPFS_SUITE_ADDRESS(row) &lcpfs_##row##_suite,
kunit_test_suites(LCPFS_TEST_SUITES(LCPFS_SUITE_ADDRESS));

/* KUnit runs the suites itself once the module is there. */
static int __init lcpfs_kunit_start(void)
{
	int error;

	host_checksum_start();
	error = host_bios_start();
	if (error)
		return error;
	error = host_kept_start();
	if (error)
		host_bios_end();
	return error;
}
module_init(lcpfs_kunit_start);

static void __exit lcpfs_kunit_exit(void)
{
	host_workqueues_end();
	host_kept_stop();
	host_slabs_destroy();
	host_bios_end();
}
module_exit(lcpfs_kunit_exit);

MODULE_DESCRIPTION("lcpfs: the test cases of the core");
MODULE_AUTHOR("The lcpfs authors");
MODULE_LICENSE("GPL");
