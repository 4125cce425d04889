// SPDX-License-Identifier: GPL-2.0-only
#include "core/test/run.h"

#include "core/test/suites.h"
#include "core/test/test.h"

namespace lcpfs {

#define LCPFS_DECLARE_SUITE(name) extern const TestSuite name##_suite;
LCPFS_TEST_SUITES(LCPFS_DECLARE_SUITE)
#undef LCPFS_DECLARE_SUITE

static const TestSuite* const k_suites[] = {
#define LCPFS_SUITE_ADDRESS(name) &name##_suite,
    LCPFS_TEST_SUITES(LCPFS_SUITE_ADDRESS)
#undef LCPFS_SUITE_ADDRESS
};

void Test::append(const char* text)
{
    while (*text && m_result.used + 1 < sizeof(m_result.text))
        m_result.text[m_result.used++] = *text++;
    m_result.text[m_result.used] = 0;
}

void Test::append(u64 number)
{
    char digits[24];
    unsigned at = sizeof(digits) - 1;
    digits[at] = 0;
    do {
        digits[--at] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number);
    append(digits + at);
}

void Test::begin(const char* file, int line, const char* text)
{
    m_result.failures++;
    append(file);
    append(":");
    append(static_cast<u64>(line));
    append(": ");
    append(text);
}

bool Test::check(bool passed, const char* file, int line, const char* text)
{
    if (!passed) {
        begin(file, line, text);
        append("\n");
    }
    return passed;
}

bool Test::check_ok(Error error, const char* file, int line, const char* text)
{
    return check_error(error, Error::none, file, line, text);
}

bool Test::check_error(Error error, Error expected, const char* file, int line, const char* text)
{
    if (error == expected)
        return true;
    begin(file, line, text);
    append(" gave \"");
    append(text_of(error));
    append("\", not \"");
    append(text_of(expected));
    append("\"\n");
    return false;
}

bool Test::check_equal(u64 a, u64 b, const char* file, int line, const char* text)
{
    if (a == b)
        return true;
    begin(file, line, text);
    append(": ");
    append(a);
    append(" != ");
    append(b);
    append("\n");
    return false;
}

}

using namespace lcpfs;

unsigned int lcpfs_test_suite_count(void) { return sizeof(k_suites) / sizeof(k_suites[0]); }
const char* lcpfs_test_suite_name(unsigned int suite) { return k_suites[suite]->name; }
unsigned int lcpfs_test_case_count(unsigned int suite) { return k_suites[suite]->count; }
const char* lcpfs_test_case_name(unsigned int suite, unsigned int index) { return k_suites[suite]->case_name(index); }

void lcpfs_test_run(unsigned int suite, unsigned int index, struct lcpfs_test_result* result)
{
    result->failures = result->used = 0;
    result->text[0] = 0;
    Test test(*result);
    k_suites[suite]->run(index, test);
}
