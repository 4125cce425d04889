// SPDX-License-Identifier: GPL-2.0-only
// move, forward and swap: the part of <utility> a freestanding core needs.
#pragma once

namespace lcpfs {

template <typename T> struct RemoveReference { using Type = T; };
template <typename T> struct RemoveReference<T&> { using Type = T; };
template <typename T> struct RemoveReference<T&&> { using Type = T; };

template <typename T>
constexpr typename RemoveReference<T>::Type&& move(T&& value)
{
    return static_cast<typename RemoveReference<T>::Type&&>(value);
}

template <typename T>
constexpr T&& forward(typename RemoveReference<T>::Type& value) { return static_cast<T&&>(value); }
template <typename T>
constexpr T&& forward(typename RemoveReference<T>::Type&& value) { return static_cast<T&&>(value); }

template <typename T>
constexpr void swap(T& a, T& b)
{
    T held = lcpfs::move(a);
    a = lcpfs::move(b);
    b = lcpfs::move(held);
}

}

// Placement construction, which <new> would declare.
#if !defined(LCPFS_PLACEMENT_NEW) && !__has_include(<new>)
#define LCPFS_PLACEMENT_NEW
inline void* operator new(__SIZE_TYPE__, void* place) noexcept { return place; }
#elif __has_include(<new>)
#include <new>
#endif
