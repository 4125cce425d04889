// SPDX-License-Identifier: GPL-2.0-only
// Fletcher-4 over 32-bit little-endian words, four 64-bit sums, folded into one in a way that depends on their order.
#pragma once

#include "core/base/little_endian.h"
#include "core/base/span.h"

namespace lcpfs {

class Fletcher4 {
public:
    void add(Bytes bytes)
    {
        const u8* at = bytes.data();
        size_t left = bytes.size();
        for (; left && m_carried; left--)
            carry(*at++);
        // The sums in registers, two words at a time: six instructions a word.
        u64 a = m_a, b = m_b, c = m_c, d = m_d;
        for (; left >= 8; left -= 8, at += 8) {
            le64 words;
            copy_bytes(&words, at, sizeof(words));
            const u64 pair = words.get();
            a += static_cast<u32>(pair);
            b += a;
            c += b;
            d += c;
            a += pair >> 32;
            b += a;
            c += b;
            d += c;
        }
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
