/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tests as a runner sees them: suites and cases by index. Both runners (userspace/test, kunit/) use
 * only this and the list of names in suites.h. Not thread-safe per result; cases run one at a time.
 */
#ifndef LCPFS_TEST_RUN_H
#define LCPFS_TEST_RUN_H

#ifdef __cplusplus
extern "C" {
#endif

struct lcpfs_test_result {
	unsigned int failures;
	unsigned int used;   /* bytes of text */
	char text[1500];     /* one line per failed check, NUL-terminated, cut off when full */
};

unsigned int lcpfs_test_suite_count(void);
const char *lcpfs_test_suite_name(unsigned int suite);
unsigned int lcpfs_test_case_count(unsigned int suite);
const char *lcpfs_test_case_name(unsigned int suite, unsigned int index);
/* Sleepable. */
void lcpfs_test_run(unsigned int suite, unsigned int index, struct lcpfs_test_result *result);

#ifdef __cplusplus
}
#endif

#endif
