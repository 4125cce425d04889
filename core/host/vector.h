// SPDX-License-Identifier: GPL-2.0-only
// Vector<T>: growable array whose growth can fail. Elements are moved on growth.
#pragma once

#include "core/base/span.h"
#include "core/host/memory.h"

namespace lcpfs {

template <typename T>
class Vector {
public:
    Vector() = default;
    Vector(Vector&& other) : m_data(other.m_data), m_size(other.m_size), m_capacity(other.m_capacity)
    {
        other.m_data = nullptr;
        other.m_size = other.m_capacity = 0;
    }
    Vector& operator=(Vector&& other)
    {
        lcpfs::swap(m_data, other.m_data);
        lcpfs::swap(m_size, other.m_size);
        lcpfs::swap(m_capacity, other.m_capacity);
        return *this;
    }
    Vector(const Vector&) = delete;
    ~Vector()
    {
        clear();
        host_free(m_data);
    }

    size_t size() const { return m_size; }
    bool is_empty() const { return m_size == 0; }
    T& operator[](size_t i) { return m_data[i]; }
    const T& operator[](size_t i) const { return m_data[i]; }
    T& last() { return m_data[m_size - 1]; }
    T* begin() { return m_data; }
    T* end() { return m_data + m_size; }
    const T* begin() const { return m_data; }
    const T* end() const { return m_data + m_size; }
    Span<T> span() { return { m_data, m_size }; }
    Span<const T> span() const { return { m_data, m_size }; }

    // Sleepable. After success, push_back up to `capacity` elements cannot fail.
    Status reserve(size_t capacity)
    {
        if (capacity <= m_capacity)
            return {};
        T* grown = static_cast<T*>(host_alloc(capacity * sizeof(T), 0));
        if (!grown)
            return Error::no_memory;
        for (size_t i = 0; i < m_size; i++) {
            ::new (static_cast<void*>(grown + i)) T(lcpfs::move(m_data[i]));
            m_data[i].~T();
        }
        host_free(m_data);
        m_data = grown;
        m_capacity = capacity;
        return {};
    }
    Status push_back(T value)
    {
        if (m_size == m_capacity)
            TRY(reserve(m_capacity ? m_capacity * 2 : 8));
        ::new (static_cast<void*>(m_data + m_size)) T(lcpfs::move(value));
        m_size++;
        return {};
    }
    Status resize(size_t size)
    {
        TRY(reserve(size));
        while (m_size > size)
            pop_back();
        while (m_size < size)
            ::new (static_cast<void*>(m_data + m_size++)) T();
        return {};
    }
    void pop_back() { m_data[--m_size].~T(); }
    void clear()
    {
        while (m_size)
            pop_back();
    }

private:
    T* m_data { nullptr };
    size_t m_size { 0 };
    size_t m_capacity { 0 };
};

}
