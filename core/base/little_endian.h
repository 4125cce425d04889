// SPDX-License-Identifier: GPL-2.0-only
// le16/le32/le64: the only integers allowed in an on-disk struct. Byte arrays, alignment 1.
#pragma once

#include "core/base/types.h"

namespace lcpfs {

// Either direction, for a number as the machine has it and one of the given order. The compilers do not see through a loop
// over bytes: one load or store has to be written as one.
template <typename Raw>
inline Raw swapped(Raw value)
{
    if constexpr (sizeof(Raw) == 8)
        return __builtin_bswap64(value);
    else if constexpr (sizeof(Raw) == 4)
        return __builtin_bswap32(value);
    else
        return __builtin_bswap16(value);
}
inline constexpr bool k_is_little_endian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

template <typename Raw>
class LittleEndian {
public:
    constexpr LittleEndian() = default;
    constexpr explicit LittleEndian(Raw value) { set(value); }

    constexpr Raw get() const
    {
        Raw value = 0;
        if (!__builtin_is_constant_evaluated()) {
            __builtin_memcpy(&value, m_bytes, sizeof(Raw));
            return in_order(value);
        }
        for (size_t i = 0; i < sizeof(Raw); i++)
            value = static_cast<Raw>(value | static_cast<Raw>(static_cast<Raw>(m_bytes[i]) << (8 * i)));
        return value;
    }
    constexpr void set(Raw value)
    {
        if (!__builtin_is_constant_evaluated()) {
            value = in_order(value);
            __builtin_memcpy(m_bytes, &value, sizeof(Raw));
            return;
        }
        for (size_t i = 0; i < sizeof(Raw); i++)
            m_bytes[i] = static_cast<u8>(value >> (8 * i));
    }

private:
    static Raw in_order(Raw value)
    {
        if constexpr (k_is_little_endian)
            return value;
        else
            return swapped(value);
    }
    u8 m_bytes[sizeof(Raw)] {};
};

using le16 = LittleEndian<u16>;
using le32 = LittleEndian<u32>;
using le64 = LittleEndian<u64>;
static_assert(sizeof(le64) == 8 && alignof(le64) == 1);

// A 64-bit key whose memcmp order is its numeric order.
class BigEndianKey {
public:
    constexpr BigEndianKey() = default;
    constexpr explicit BigEndianKey(u64 value)
    {
        if (!__builtin_is_constant_evaluated()) {
            value = in_order(value);
            __builtin_memcpy(m_bytes, &value, sizeof(value));
            return;
        }
        for (int i = 0; i < 8; i++)
            m_bytes[i] = static_cast<u8>(value >> (56 - 8 * i));
    }
    constexpr u64 get() const
    {
        u64 value = 0;
        if (!__builtin_is_constant_evaluated()) {
            __builtin_memcpy(&value, m_bytes, sizeof(value));
            return in_order(value);
        }
        for (int i = 0; i < 8; i++)
            value = value << 8 | m_bytes[i];
        return value;
    }
    const u8* data() const { return m_bytes; }

private:
    static u64 in_order(u64 value) { return k_is_little_endian ? swapped(value) : value; }
    u8 m_bytes[8] {};
};

}
