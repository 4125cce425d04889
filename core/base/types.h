// SPDX-License-Identifier: GPL-2.0-only
// Fixed-width names and the distinct integer types of lcpfs.
//
// Numbers that mean different things have different types: a BlockCount cannot be passed where a
// TxgId is wanted. `Tagged` costs nothing at run time; `value()` is the only way to the raw number.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Of a large local of which only what was written is read: kernels are built so that the compiler clears the others, each time.
#define LCPFS_UNINITIALIZED __attribute__((uninitialized))

namespace lcpfs {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using i32 = int32_t;
using i64 = int64_t;

template <typename Tag, typename Raw = u64>
class Tagged {
public:
    constexpr Tagged() = default;
    constexpr explicit Tagged(Raw raw) : m_raw(raw) {}
    constexpr Raw value() const { return m_raw; }
    constexpr Tagged next() const { return Tagged(m_raw + 1); }
    constexpr Tagged previous() const { return Tagged(m_raw - 1); }
    friend constexpr bool operator==(Tagged, Tagged) = default;
    friend constexpr auto operator<(Tagged a, Tagged b) { return a.m_raw < b.m_raw; }
    friend constexpr auto operator<=(Tagged a, Tagged b) { return a.m_raw <= b.m_raw; }
    friend constexpr auto operator>(Tagged a, Tagged b) { return a.m_raw > b.m_raw; }
    friend constexpr auto operator>=(Tagged a, Tagged b) { return a.m_raw >= b.m_raw; }

private:
    Raw m_raw { 0 };
};

using TxgId = Tagged<struct TxgIdTag>;          // number of a transaction group; 0 = none
using ObjectId = Tagged<struct ObjectIdTag>;    // inode number inside one dataset; 0 = none
using DatasetId = Tagged<struct DatasetIdTag>;  // 0 = the pool itself
using VdevId = Tagged<struct VdevIdTag, u16>;   // index into the pool's vdev table

// The address unit of everything on disk.
constexpr u32 k_block_shift = 12;
constexpr u32 k_block_size = 1u << k_block_shift;

constexpr u64 blocks_for_bytes(u64 bytes) { return (bytes >> k_block_shift) + ((bytes & (k_block_size - 1)) != 0); }

template <typename T>
constexpr T min(T a, T b) { return b < a ? b : a; }
template <typename T>
constexpr T max(T a, T b) { return a < b ? b : a; }
constexpr u64 align_up(u64 value, u64 power_of_two) { return (value + power_of_two - 1) & ~(power_of_two - 1); }
constexpr u64 align_down(u64 value, u64 power_of_two) { return value & ~(power_of_two - 1); }
constexpr bool is_power_of_two(u64 value) { return value != 0 && (value & (value - 1)) == 0; }

// a + b without wrapping: false when the sum does not fit.
[[nodiscard]] constexpr bool checked_add(u64 a, u64 b, u64& sum)
{
    return !__builtin_add_overflow(a, b, &sum);
}

}
