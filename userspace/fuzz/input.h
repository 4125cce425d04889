// SPDX-License-Identifier: GPL-2.0-only
// Bytes of a fuzzer taken apart: fixed-size values first, the rest at the end.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vector>

#include "core/base/span.h"
#include "core/base/types.h"

namespace lcpfs {

class FuzzInput {
public:
    FuzzInput(const uint8_t* data, size_t size) : m_data(data), m_size(size) {}
    // Missing bytes are zeros.
    template <typename T>
    T take()
    {
        T value {};
        size_t bytes = m_size < sizeof(T) ? m_size : sizeof(T);
        if (bytes)
            memcpy(static_cast<void*>(&value), m_data, bytes);
        m_data += bytes;
        m_size -= bytes;
        return value;
    }
    // In memory of its own, so that ASan sees the first byte past it.
    std::vector<u8> take_bytes(size_t wanted)
    {
        size_t bytes = m_size < wanted ? m_size : wanted;
        std::vector<u8> result(m_data, m_data + bytes);
        m_data += bytes;
        m_size -= bytes;
        return result;
    }
    std::vector<u8> rest() { return take_bytes(m_size); }
    size_t left() const { return m_size; }

private:
    const uint8_t* m_data;
    size_t m_size;
};

inline Bytes bytes_in(const std::vector<u8>& vector) { return { vector.data(), vector.size() }; }

// A contradiction a fuzzer found.
#define FUZZ_CHECK(condition)                                                                       \
    do {                                                                                            \
        if (!(condition)) {                                                                         \
            __builtin_printf("lcpfs: fuzz: %s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
            __builtin_trap();                                                                       \
        }                                                                                           \
    } while (0)

}
