// SPDX-License-Identifier: GPL-2.0-only
// Result<T>: a value or an Error, never both, never ignored.
//
// `TRY(expression)` yields the value or returns the error from the enclosing function.
#pragma once

#include "core/base/errors.h"
#include "core/base/move.h"

namespace lcpfs {

template <typename T = void>
class [[nodiscard]] Result {
public:
    Result(Error error) : m_error(error) {}
    Result(T&& value) : m_error(Error::none) { ::new (static_cast<void*>(m_storage)) T(lcpfs::move(value)); }
    Result(const T& value) : m_error(Error::none) { ::new (static_cast<void*>(m_storage)) T(value); }
    Result(Result&& other) : m_error(other.m_error)
    {
        if (is_ok())
            ::new (static_cast<void*>(m_storage)) T(lcpfs::move(other.value()));
    }
    Result(const Result&) = delete;
    Result& operator=(const Result&) = delete;
    Result& operator=(Result&&) = delete;
    ~Result()
    {
        if (is_ok())
            value().~T();
    }

    bool is_ok() const { return m_error == Error::none; }
    bool is_error() const { return m_error != Error::none; }
    Error error() const { return m_error; }
    T& value() { return *reinterpret_cast<T*>(m_storage); }
    const T& value() const { return *reinterpret_cast<const T*>(m_storage); }
    T release_value() { return lcpfs::move(value()); }

private:
    Error m_error;
    alignas(T) u8 m_storage[sizeof(T)];
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : m_error(error) {}
    bool is_ok() const { return m_error == Error::none; }
    bool is_error() const { return m_error != Error::none; }
    Error error() const { return m_error; }
    void release_value() {}

private:
    Error m_error { Error::none };
};

using Status = Result<void>;

#define TRY(expression)                           \
    ({                                            \
        auto lcpfs_try_result = (expression);     \
        if (lcpfs_try_result.is_error())          \
            return lcpfs_try_result.error();      \
        lcpfs_try_result.release_value();         \
    })

// For anything that came from a device: a failed check is damage, never an assertion.
#define VERIFY_DISK(condition, code)        \
    do {                                    \
        if (__builtin_expect(!(condition), 0)) \
            return ::lcpfs::Error::code;    \
    } while (0)

}
