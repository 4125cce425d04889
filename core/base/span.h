// SPDX-License-Identifier: GPL-2.0-only
// Span and StringView: borrowed memory with its length; raw memory helpers.
#pragma once

#include "core/base/types.h"

namespace lcpfs {

inline void copy_bytes(void* to, const void* from, size_t bytes)
{
    if (bytes) // an empty span may have no address
        __builtin_memcpy(to, from, bytes);
}
inline void move_bytes(void* to, const void* from, size_t bytes) { __builtin_memmove(to, from, bytes); }
inline void zero_bytes(void* at, size_t bytes) { __builtin_memset(at, 0, bytes); }
inline int compare_bytes(const void* a, const void* b, size_t bytes) { return __builtin_memcmp(a, b, bytes); }

template <typename T>
class Span {
public:
    constexpr Span() = default;
    constexpr Span(T* data, size_t size) : m_data(data), m_size(size) {}
    template <size_t N>
    constexpr Span(T (&array)[N]) : m_data(array), m_size(N) {}
    constexpr operator Span<const T>() const { return { m_data, m_size }; }

    constexpr T* data() const { return m_data; }
    constexpr size_t size() const { return m_size; }
    constexpr bool is_empty() const { return m_size == 0; }
    constexpr T& operator[](size_t i) const { return m_data[i]; }
    constexpr T* begin() const { return m_data; }
    constexpr T* end() const { return m_data + m_size; }
    // The caller has checked that offset + count <= size().
    constexpr Span slice(size_t offset, size_t count) const { return { m_data + offset, count }; }

private:
    T* m_data { nullptr };
    size_t m_size { 0 };
};

using Bytes = Span<const u8>;
using MutableBytes = Span<u8>;

template <typename T>
Bytes bytes_of(const T& object) { return { reinterpret_cast<const u8*>(&object), sizeof(T) }; }

// memcmp order with the shorter first on a common prefix: the order of tree keys.
inline int compare(Bytes a, Bytes b)
{
    size_t common = a.size() < b.size() ? a.size() : b.size();
    int order = common ? compare_bytes(a.data(), b.data(), common) : 0;
    if (order != 0)
        return order;
    return a.size() < b.size() ? -1 : a.size() > b.size();
}
inline bool equal(Bytes a, Bytes b) { return a.size() == b.size() && compare(a, b) == 0; }

class StringView {
public:
    constexpr StringView() = default;
    constexpr StringView(const char* text, size_t length) : m_text(text), m_length(length) {}
    constexpr StringView(const char* text) : m_text(text), m_length(__builtin_strlen(text)) {}
    constexpr const char* data() const { return m_text; }
    constexpr size_t size() const { return m_length; }
    Bytes bytes() const { return { reinterpret_cast<const u8*>(m_text), m_length }; }
    friend bool operator==(StringView a, StringView b) { return equal(a.bytes(), b.bytes()); }

private:
    const char* m_text { "" };
    size_t m_length { 0 };
};

}
