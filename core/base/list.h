// SPDX-License-Identifier: GPL-2.0-only
// Intrusive doubly linked list. Nothing is allocated; an element is in at most one list per link.
//
//     struct Item { ListLink m_link; };
//     List<Item, &Item::m_link> items;
#pragma once

#include "core/base/types.h"

namespace lcpfs {

struct ListLink {
    ListLink* m_previous { nullptr };
    ListLink* m_next { nullptr };
    bool is_linked() const { return m_next != nullptr; }
};

template <typename T, ListLink T::*Member>
class List {
public:
    List() { m_head.m_previous = m_head.m_next = &m_head; }
    List(const List&) = delete;
    List& operator=(const List&) = delete;

    bool is_empty() const { return m_head.m_next == &m_head; }
    size_t size() const { return m_size; }
    T* first() { return is_empty() ? nullptr : element(m_head.m_next); }
    T* last() { return is_empty() ? nullptr : element(m_head.m_previous); }
    T* next(T& item) { return (item.*Member).m_next == &m_head ? nullptr : element((item.*Member).m_next); }
    T* previous(T& item) { return (item.*Member).m_previous == &m_head ? nullptr : element((item.*Member).m_previous); }
    void push_back(T& item) { insert_before(m_head, item.*Member); }
    void push_front(T& item) { insert_before(*m_head.m_next, item.*Member); }
    void insert_after(T& place, T& item) { insert_before(*(place.*Member).m_next, item.*Member); }
    void remove(T& item)
    {
        ListLink& link = item.*Member;
        link.m_previous->m_next = link.m_next;
        link.m_next->m_previous = link.m_previous;
        link.m_previous = link.m_next = nullptr;
        m_size--;
    }
    T* pop_front()
    {
        T* item = first();
        if (item)
            remove(*item);
        return item;
    }
    // Moves everything from `other` to the end of this list.
    void take_all(List& other)
    {
        if (other.is_empty())
            return;
        other.m_head.m_next->m_previous = m_head.m_previous;
        m_head.m_previous->m_next = other.m_head.m_next;
        other.m_head.m_previous->m_next = &m_head;
        m_head.m_previous = other.m_head.m_previous;
        m_size += other.m_size;
        other.m_head.m_previous = other.m_head.m_next = &other.m_head;
        other.m_size = 0;
    }

private:
    void insert_before(ListLink& where, ListLink& link)
    {
        link.m_previous = where.m_previous;
        link.m_next = &where;
        where.m_previous->m_next = &link;
        where.m_previous = &link;
        m_size++;
    }
    static T* element(ListLink* link)
    {
        const size_t offset = reinterpret_cast<size_t>(&(static_cast<T*>(nullptr)->*Member));
        return reinterpret_cast<T*>(reinterpret_cast<u8*>(link) - offset);
    }

    ListLink m_head;
    size_t m_size { 0 };
};

}
