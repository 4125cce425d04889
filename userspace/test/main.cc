// SPDX-License-Identifier: GPL-2.0-only
// unit [-v] [FILTER...]: runs the core's test cases in this process. A case also fails when it leaves
// memory behind. FILTER is a part of "suite.case"; without one everything runs.
#include <stdio.h>
#include <string.h>

#include <string>
#include <vector>

#include "core/test/run.h"
#include "userspace/host/common/log.h"
#include "userspace/host/common/memory.h"
#include "userspace/host/common/thread_context.h"
#include "userspace/test/process_suites.h"

using namespace lcpfs;

static bool matches(const std::string& name, const std::vector<std::string>& filters)
{
    if (filters.empty())
        return true;
    for (const std::string& filter : filters)
        if (name.find(filter) != std::string::npos)
            return true;
    return false;
}

static const TestSuite* const k_process_suites[] = {
#define LCPFS_PROCESS_SUITE_ADDRESS(name) &name##_suite,
    LCPFS_PROCESS_SUITES(LCPFS_PROCESS_SUITE_ADDRESS)
#undef LCPFS_PROCESS_SUITE_ADDRESS
};

struct Totals {
    bool verbose;
    unsigned passed { 0 }, failed { 0 };
};

template <typename Body>
static void run_case(const std::string& name, Totals& totals, Body body)
{
    if (totals.verbose) {
        printf("run  %s\n", name.c_str());
        fflush(stdout);
    }
    u64 live = host_memory_live_objects();
    lcpfs_test_result result;
    body(result);
    AllocationFailures::fail_nth(0, false);
    thread_context().fail_allocation = 0;
    if (u64 left = host_memory_live_objects() - live) {
        result.failures++;
        printf("%s: %lld objects of memory left behind\n", name.c_str(), static_cast<long long>(left));
    }
    if (result.failures)
        printf("FAIL %s\n%s", name.c_str(), result.text);
    (result.failures ? totals.failed : totals.passed)++;
    fflush(stdout);
}

int main(int argc, char** argv)
{
    bool verbose = false;
    std::vector<std::string> filters;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-v"))
            verbose = true;
        else
            filters.push_back(argv[i]);
    }
    // Cases provoke errors on purpose; their messages are noise unless asked for.
    host_log_set_level(verbose ? HOST_LOG_DEBUG : HOST_LOG_ERROR);
    if (!verbose)
        host_log_set_sink([](void*, host_log_level, const char*) {}, nullptr);

    Totals totals { verbose };
    for (unsigned suite = 0; suite < lcpfs_test_suite_count(); suite++) {
        for (unsigned i = 0; i < lcpfs_test_case_count(suite); i++) {
            std::string name = std::string(lcpfs_test_suite_name(suite)) + "." + lcpfs_test_case_name(suite, i);
            if (matches(name, filters))
                run_case(name, totals, [&](lcpfs_test_result& result) { lcpfs_test_run(suite, i, &result); });
        }
    }
    for (const TestSuite* suite : k_process_suites) {
        for (unsigned i = 0; i < suite->count; i++) {
            std::string name = std::string(suite->name) + "." + suite->case_name(i);
            if (matches(name, filters))
                run_case(name, totals, [&](lcpfs_test_result& result) {
                    result.failures = result.used = 0;
                    result.text[0] = 0;
                    Test test(result);
                    suite->run(i, test);
                });
        }
    }
    const unsigned passed = totals.passed, failed = totals.failed;
    printf("lcpfs-result: unit %u passed, %u failed\n", passed, failed);
    return failed || !passed;
}
