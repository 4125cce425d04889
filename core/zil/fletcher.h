// SPDX-License-Identifier: GPL-2.0-only
// Fletcher-4 over 32-bit little-endian words, four 64-bit sums, folded into one in a way that depends on their order.
#pragma once

#include "core/base/little_endian.h"
#include "core/base/span.h"
#include "core/host/host.h"

namespace lcpfs {

class Fletcher4 {
public:
    void add(Bytes bytes)
    {
        const u8* at = bytes.data();
        size_t left = bytes.size();
        for (; left && m_carried; left--)
            carry(*at++);
        if (left >= k_much_bytes) {
            u64 sums[4] = { m_a, m_b, m_c, m_d };
            const size_t done = 4 * host_fletcher4(sums, at, left / 4);
            m_a = sums[0], m_b = sums[1], m_c = sums[2], m_d = sums[3];
            at += done;
            left -= done;
        }
        // The sums in registers, each word loaded by itself and eight of them in a row: little more than five instructions a word,
        // the least that four sums allow.
        u64 a = m_a, b = m_b, c = m_c, d = m_d;
        const auto word = [&](size_t index) __attribute__((always_inline)) {
            le32 value;
            copy_bytes(&value, at + 4 * index, sizeof(value));
            a += value.get();
            b += a;
            c += b;
            d += c;
        };
        for (; left >= 32; left -= 32, at += 32) {
            word(0), word(1), word(2), word(3);
            word(4), word(5), word(6), word(7);
        }
        for (; left >= 4; left -= 4, at += 4)
            word(0);
        m_a = a, m_b = b, m_c = c, m_d = d;
        for (; left; left--)
            carry(*at++);
    }
    // What is left of a word counts as if zeros followed.
    u64 folded()
    {
        while (m_carried)
            carry(0);
        constexpr u64 k_factor = 0x9e3779b97f4a7c15ull;
        return ((m_a * k_factor + m_b) * k_factor + m_c) * k_factor + m_d;
    }

private:
    static constexpr size_t k_much_bytes = 1024;

    void add_word(u32 word)
    {
        m_a += word;
        m_b += m_a;
        m_c += m_b;
        m_d += m_c;
    }
    void carry(u8 byte)
    {
        m_word |= u32(byte) << (8 * m_carried);
        if (++m_carried == 4) {
            add_word(m_word);
            m_word = 0;
            m_carried = 0;
        }
    }

    u64 m_a { 0 }, m_b { 0 }, m_c { 0 }, m_d { 0 };
    u32 m_word { 0 };
    u32 m_carried { 0 };
};

}
