// SPDX-License-Identifier: GPL-2.0-only
// le16/le32/le64: the only integers allowed in an on-disk struct. Byte arrays, alignment 1.
#pragma once

#include "core/base/types.h"

namespace lcpfs {

template <typename Raw>
class LittleEndian {
public:
    constexpr LittleEndian() = default;
    constexpr explicit LittleEndian(Raw value) { set(value); }

    constexpr Raw get() const
    {
        Raw value = 0;
        for (size_t i = 0; i < sizeof(Raw); i++)
            value = static_cast<Raw>(value | static_cast<Raw>(static_cast<Raw>(m_bytes[i]) << (8 * i)));
        return value;
    }
    constexpr void set(Raw value)
    {
        for (size_t i = 0; i < sizeof(Raw); i++)
            m_bytes[i] = static_cast<u8>(value >> (8 * i));
    }

private:
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
        for (int i = 0; i < 8; i++)
            m_bytes[i] = static_cast<u8>(value >> (56 - 8 * i));
    }
    constexpr u64 get() const
    {
        u64 value = 0;
        for (int i = 0; i < 8; i++)
            value = value << 8 | m_bytes[i];
        return value;
    }
    const u8* data() const { return m_bytes; }

private:
    u8 m_bytes[8] {};
};

}
