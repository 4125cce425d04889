// SPDX-License-Identifier: GPL-2.0-only
// The harness of the core's own tests. A case is written once, beside what it tests, and runs in a process
// (build/test/unit, ASan and UBSan) and in the kernel (KUnit, KASAN and lockdep).
//
//     static void push_and_pop(Test& test)
//     {
//         Vector<u32> vector;
//         REQUIRE_OK(vector.push_back(7));      // records and returns from the case when it fails
//         CHECK_EQ(vector.last(), 7u);          // records and goes on
//     }
//     constexpr TestCase k_cases[] = { { "push_and_pop", push_and_pop } };
//     LCPFS_SUITE(vector, k_cases);
//
// or, driven by a constexpr table whose rows begin with `const char* name`, one case per row:
//
//     static void check_row(Test& test, const Row& row) { ... }
//     LCPFS_TABLE_SUITE(errors, k_rows, check_row);
//
// Then the suite gets a row in core/test/suites.h. A failed check never ends the thread: destructors run, as
// KUnit's own assertions would not let them. Frames stay under the kernel's 1 KiB: large buffers by make_box.
#pragma once

#include "core/base/errors.h"
#include "core/base/result.h"
#include "core/base/span.h"
#include "core/test/run.h"

namespace lcpfs {

class Test {
public:
    explicit Test(lcpfs_test_result& result) : m_result(result) {}
    Test(const Test&) = delete;

    bool failed() const { return m_result.failures != 0; }

    // What the macros call. All give `passed`.
    bool check(bool passed, const char* file, int line, const char* text);
    bool check_ok(Error error, const char* file, int line, const char* text);
    bool check_error(Error error, Error expected, const char* file, int line, const char* text);
    bool check_equal(u64 a, u64 b, const char* file, int line, const char* text);

private:
    void begin(const char* file, int line, const char* text);
    void append(const char* text);
    void append(u64 number);

    lcpfs_test_result& m_result;
};

struct TestCase {
    const char* name;
    void (*body)(Test& test);
};

struct TestSuite {
    const char* name;
    unsigned count;
    const char* (*case_name)(unsigned index);
    void (*run)(unsigned index, Test& test);
};

// Any integer, enumeration, bool, pointer or Tagged number as the harness compares and prints it.
template <typename T>
u64 test_number(const T& value)
{
    if constexpr (requires { value.value(); })
        return static_cast<u64>(value.value());
    else if constexpr (requires { value.get(); })
        return static_cast<u64>(value.get());
    else if constexpr (__is_enum(T))
        return static_cast<u64>(static_cast<__underlying_type(T)>(value));
    else
        return (u64)value; // NOLINT: pointers too
}

}

#define CHECK(condition) test.check(static_cast<bool>(condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(a, b) test.check_equal(::lcpfs::test_number(a), ::lcpfs::test_number(b), __FILE__, __LINE__, #a " == " #b)
#define CHECK_OK(expression) test.check_ok((expression).error(), __FILE__, __LINE__, #expression)
#define CHECK_ERROR(expression, code) \
    test.check_error((expression).error(), ::lcpfs::Error::code, __FILE__, __LINE__, #expression)

#define REQUIRE(condition)     \
    do {                       \
        if (!CHECK(condition)) \
            return;            \
    } while (0)
#define REQUIRE_EQ(a, b)     \
    do {                     \
        if (!CHECK_EQ(a, b)) \
            return;          \
    } while (0)
#define REQUIRE_OK(expression)     \
    do {                           \
        if (!CHECK_OK(expression)) \
            return;                \
    } while (0)
// The value of a Result, or the case ends with its error recorded.
#define REQUIRE_VALUE(expression)                                                             \
    ({                                                                                        \
        auto lcpfs_test_result_of = (expression);                                             \
        if (!test.check_ok(lcpfs_test_result_of.error(), __FILE__, __LINE__, #expression))    \
            return;                                                                           \
        lcpfs_test_result_of.release_value();                                                 \
    })

#define LCPFS_SUITE(suite, cases)                                                                        \
    static const char* suite##_case_name(unsigned index) { return cases[index].name; }                   \
    static void suite##_run(unsigned index, ::lcpfs::Test& test) { cases[index].body(test); }            \
    extern constinit const ::lcpfs::TestSuite suite##_suite = { #suite, sizeof(cases) / sizeof(cases[0]), \
                                                                suite##_case_name, suite##_run }

#define LCPFS_TABLE_SUITE(suite, rows, check_row)                                                       \
    static const char* suite##_case_name(unsigned index) { return rows[index].name; }                   \
    static void suite##_run(unsigned index, ::lcpfs::Test& test) { check_row(test, rows[index]); }      \
    extern constinit const ::lcpfs::TestSuite suite##_suite = { #suite, sizeof(rows) / sizeof(rows[0]), \
                                                                suite##_case_name, suite##_run }
