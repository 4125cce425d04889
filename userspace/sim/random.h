// SPDX-License-Identifier: GPL-2.0-only
// The one source of chance in a simulation: xoshiro256** seeded through splitmix64, so that a seed is a run.
#pragma once

#include "core/base/types.h"

namespace lcpfs::sim {

constexpr u64 mix(u64 x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}
constexpr u64 mix(u64 a, u64 b) { return mix(mix(a) ^ b); }

class Random {
public:
    explicit Random(u64 seed = 0) { reseed(seed); }
    void reseed(u64 seed)
    {
        for (u64& word : m_state)
            word = seed = mix(seed);
    }
    u64 next()
    {
        u64 result = rotate(m_state[1] * 5, 7) * 9;
        u64 t = m_state[1] << 17;
        m_state[2] ^= m_state[0];
        m_state[3] ^= m_state[1];
        m_state[1] ^= m_state[2];
        m_state[0] ^= m_state[3];
        m_state[2] ^= t;
        m_state[3] = rotate(m_state[3], 45);
        return result;
    }
    u64 below(u64 limit) { return limit ? static_cast<u64>(static_cast<unsigned __int128>(next()) * limit >> 64) : 0; }
    u64 between(u64 low, u64 high) { return low + below(high - low + 1); } // both ends included
    bool one_in(u64 n) { return below(n) == 0; }

private:
    static u64 rotate(u64 x, int bits) { return x << bits | x >> (64 - bits); }
    u64 m_state[4];
};

}
