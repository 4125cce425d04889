// SPDX-License-Identifier: GPL-2.0-only
// Atomic<T>: integers and pointers shared between CPUs. Sequentially consistent unless named otherwise.
#pragma once

#include "core/base/types.h"

namespace lcpfs {

template <typename T>
class Atomic {
public:
    constexpr Atomic() = default;
    constexpr explicit Atomic(T value) : m_value(value) {}
    Atomic(const Atomic&) = delete;
    Atomic& operator=(const Atomic&) = delete;

    T load() const { return __atomic_load_n(&m_value, __ATOMIC_SEQ_CST); }
    T load_acquire() const { return __atomic_load_n(&m_value, __ATOMIC_ACQUIRE); }
    T load_relaxed() const { return __atomic_load_n(&m_value, __ATOMIC_RELAXED); }
    void store(T value) { __atomic_store_n(&m_value, value, __ATOMIC_SEQ_CST); }
    void store_release(T value) { __atomic_store_n(&m_value, value, __ATOMIC_RELEASE); }
    void store_relaxed(T value) { __atomic_store_n(&m_value, value, __ATOMIC_RELAXED); }
    // The value after the addition or subtraction.
    T add(T delta) { return __atomic_add_fetch(&m_value, delta, __ATOMIC_SEQ_CST); }
    T sub(T delta) { return __atomic_sub_fetch(&m_value, delta, __ATOMIC_SEQ_CST); }
    void add_relaxed(T delta) { __atomic_fetch_add(&m_value, delta, __ATOMIC_RELAXED); }
    T exchange(T value) { return __atomic_exchange_n(&m_value, value, __ATOMIC_SEQ_CST); }
    // On failure `expected` holds what was found.
    bool compare_exchange(T& expected, T desired)
    {
        return __atomic_compare_exchange_n(&m_value, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }

private:
    T m_value {};
};

}
