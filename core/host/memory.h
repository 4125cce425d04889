// SPDX-License-Identifier: GPL-2.0-only
// Ownership: Box<T> owns one object, Ref<T> shares a counted one. All creation can fail.
#pragma once

#include "core/base/atomic.h"
#include "core/base/move.h"
#include "core/base/result.h"
#include "core/host/host.h"

namespace lcpfs {

// What an allocation may do when the host has nothing left.
//   may_fail: no_memory. For operations that somebody waits for and can repeat.
//   kit:      takes from the kit that the caller was given before it took any lock (NodeCache::KitTurn), so does not wait.
//   succeed:  waits for the reserve of a pool, which is the sync thread's alone.
enum class Must : u8 { may_fail, kit, succeed };

// T may provide `static void dispose(T*)`, which destroys it and gives its memory back; what does not is from host_alloc.
template <typename T>
class Box {
public:
    Box() = default;
    explicit Box(T* owned) : m_object(owned) {}
    Box(Box&& other) : m_object(other.release()) {}
    Box& operator=(Box&& other)
    {
        if (this != &other) {
            reset();
            m_object = other.release();
        }
        return *this;
    }
    Box(const Box&) = delete;
    ~Box() { reset(); }

    T* get() const { return m_object; }
    T* operator->() const { return m_object; }
    T& operator*() const { return *m_object; }
    explicit operator bool() const { return m_object != nullptr; }
    T* release()
    {
        T* object = m_object;
        m_object = nullptr;
        return object;
    }
    void reset()
    {
        if (!m_object)
            return;
        T* const object = release();
        if constexpr (requires { T::dispose(object); }) {
            T::dispose(object);
        } else {
            object->~T();
            host_free(object);
        }
    }

private:
    T* m_object { nullptr };
};

// Sleepable. no_memory when there is none; the object is constructed with the arguments.
template <typename T, typename... Arguments>
Result<Box<T>> make_box(Arguments&&... arguments)
{
    void* memory = host_alloc(sizeof(T), 0);
    if (!memory)
        return Error::no_memory;
    return Box<T>(::new (memory) T(lcpfs::forward<Arguments>(arguments)...));
}

// Base of counted objects. T provides `void last_reference_dropped()`, which disposes of it.
template <typename T>
class RefCounted {
public:
    void reference() { m_references.add(1); }
    void unreference()
    {
        if (m_references.sub(1) == 0)
            static_cast<T*>(this)->last_reference_dropped();
    }
    u32 reference_count() const { return m_references.load_relaxed(); }
    // False when the count had already reached 0: for look-ups in a table that holds no reference itself.
    bool reference_unless_zero()
    {
        u32 seen = m_references.load_relaxed();
        while (seen != 0)
            if (m_references.compare_exchange(seen, seen + 1))
                return true;
        return false;
    }

private:
    Atomic<u32> m_references { 1 };
};

template <typename T>
class Ref {
public:
    Ref() = default;
    explicit Ref(T& object) : m_object(&object) { object.reference(); }
    // Takes over a reference that the caller holds (a fresh object starts with one).
    static Ref adopt(T& object)
    {
        Ref ref;
        ref.m_object = &object;
        return ref;
    }
    Ref(const Ref& other) : m_object(other.m_object)
    {
        if (m_object)
            m_object->reference();
    }
    Ref(Ref&& other) : m_object(other.m_object) { other.m_object = nullptr; }
    Ref& operator=(Ref other)
    {
        lcpfs::swap(m_object, other.m_object);
        return *this;
    }
    ~Ref()
    {
        if (m_object)
            m_object->unreference();
    }

    T* get() const { return m_object; }
    T* operator->() const { return m_object; }
    T& operator*() const { return *m_object; }
    explicit operator bool() const { return m_object != nullptr; }
    void reset() { *this = Ref(); }
    // Gives the reference to the caller.
    T* leak()
    {
        T* object = m_object;
        m_object = nullptr;
        return object;
    }

private:
    T* m_object { nullptr };
};

}
