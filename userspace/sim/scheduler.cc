// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/scheduler.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern "C" char __executable_start;

namespace lcpfs {

ThreadContext& thread_context() { return sim::Scheduler::get().current().context; }

}

namespace lcpfs::sim {

Scheduler& Scheduler::get()
{
    static Scheduler* s_scheduler = new Scheduler; // never destroyed: fibers may outlive main's statics
    return *s_scheduler;
}

Scheduler::Scheduler()
    : m_current(&m_driver)
{
    m_driver.name = "driver";
}

void Scheduler::reset(u64 seed, u32 switch_one_in)
{
    reap();
    if (m_current != &m_driver || !m_fibers.empty()) {
        fprintf(stderr, "lcpfs: sim: fibers left over from the run before:\n");
        report();
        abort();
    }
    m_timed = {};
    m_runnable.clear();
    m_random.reseed(seed);
    m_switch_one_in = switch_one_in;
    m_now_ns = 1000000000;
    m_progress_ns = m_now_ns;
}

void Scheduler::enter()
{
    fiber_entered();
    Scheduler& scheduler = get();
    Fiber& fiber = scheduler.current();
    fiber.body(fiber.argument);
    if (fiber.context.held_count)
        host_violation("ends holding locks");
    fiber.finished = true;
    scheduler.m_some_finished = true;
    scheduler.wake(&fiber);
    scheduler.pick(true);
    abort();
}

Fiber* Scheduler::start(const char* name, void (*body)(void*), void* argument)
{
    reap();
    m_fibers.push_back(std::make_unique<Fiber>());
    Fiber& fiber = *m_fibers.back();
    fiber.name = name;
    fiber.context.name = fiber.name.c_str();
    fiber.body = body;
    fiber.argument = argument;
    fiber_prepare(fiber, enter);
    make_runnable(fiber);
    preemption_point();
    return &fiber;
}

void Scheduler::join(Fiber* fiber)
{
    while (!fiber->finished)
        block(fiber, fiber->name.c_str());
    for (size_t i = 0; i < m_fibers.size(); i++)
        if (m_fibers[i].get() == fiber) {
            fiber_release(*fiber);
            m_fibers.erase(m_fibers.begin() + static_cast<long>(i));
            return;
        }
}

// Finished fibers wait for their join; nothing else to do today.
void Scheduler::reap() { m_some_finished = false; }

void Scheduler::make_runnable(Fiber& fiber)
{
    if (fiber.runnable || fiber.finished)
        return;
    fiber.runnable = true;
    fiber.waits_on = nullptr;
    fiber.wait_number++;
    m_runnable.push_back(&fiber);
}

void Scheduler::run_due()
{
    while (!m_timed.empty() && m_timed.top().time_ns <= m_now_ns) {
        Timed due = m_timed.top();
        m_timed.pop();
        due.call(due.context, due.argument);
    }
}

void Scheduler::pick(bool last)
{
    m_now_ns += m_random.below(1500);
    run_due();
    while (m_runnable.empty()) {
        if (m_timed.empty() || m_timed.top().time_ns > m_progress_ns + k_hang_ns) {
            fprintf(stderr, "lcpfs: sim: %s\n", m_timed.empty() ? "deadlock: every thread waits" : "no progress: only timers fire");
            report();
            if (host_violation_hook)
                host_violation_hook();
            abort();
        }
        if (m_timed.top().time_ns > m_now_ns)
            m_now_ns = m_timed.top().time_ns;
        run_due();
    }
    size_t index = m_random.below(m_runnable.size());
    Fiber* next = m_runnable[index];
    m_runnable[index] = m_runnable.back();
    m_runnable.pop_back();
    next->runnable = false;
    if (next == m_current)
        return;
    Fiber* from = m_current;
    m_current = next;
    fiber_switch(*from, *next, last);
}

void Scheduler::preemption_point()
{
    if (m_current->context.atomic_depth || !m_random.one_in(m_switch_one_in))
        return;
    yield();
}

void Scheduler::yield()
{
    make_runnable(*m_current);
    pick(false);
}

void Scheduler::block(const void* where, const char* what)
{
    m_current->waits_on = where;
    m_current->waits_for = what;
    pick(false);
}

bool Scheduler::block_until(const void* where, const char* what, u64 deadline_ns)
{
    Fiber& fiber = *m_current;
    fiber.timed_out = false;
    auto expire = [](void* context, u64 number) {
        Fiber& fiber = *static_cast<Fiber*>(context);
        // The fiber may be long gone: compare with the living ones before looking into it.
        Scheduler& scheduler = get();
        bool alive = &fiber == &scheduler.m_driver;
        for (auto& other : scheduler.m_fibers)
            alive |= other.get() == &fiber;
        if (!alive || fiber.wait_number != number || fiber.runnable || !fiber.waits_on)
            return;
        fiber.timed_out = true;
        scheduler.make_runnable(fiber);
    };
    at(deadline_ns, expire, &fiber, fiber.wait_number);
    block(where, what);
    return !fiber.timed_out;
}

void Scheduler::sleep_ns(u64 duration_ns)
{
    char place = 0;
    block_until(&place, "its sleep to end", m_now_ns + duration_ns);
}

void Scheduler::wake(const void* where)
{
    if (m_driver.waits_on == where)
        make_runnable(m_driver);
    for (auto& fiber : m_fibers)
        if (fiber->waits_on == where)
            make_runnable(*fiber);
}

void Scheduler::at(u64 time_ns, void (*call)(void*, u64), void* context, u64 number)
{
    m_timed.push({ time_ns, ++m_timed_count, call, context, number });
}

static void print_backtrace(const Fiber& fiber)
{
    void* addresses[24];
    unsigned count = fiber_backtrace(fiber, addresses, 24);
    // `make` builds with -g: addr2line turns them into lines. Offsets, since the program may load anywhere.
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length <= 0)
        return;
    program[length] = 0;
    std::string command = "addr2line -Cfpse '" + std::string(program) + "'";
    for (unsigned i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof(text), " %#lx", static_cast<unsigned long>(static_cast<char*>(addresses[i]) - &__executable_start - 1));
        command += text;
    }
    command += " 2>/dev/null | grep -v -e 'Scheduler::' -e ' ??:' | head -16 | sed 's/^/lcpfs:       /' 1>&2";
    if (system(command.c_str()) != 0)
        return;
}

void Scheduler::report() const
{
    auto one = [&](const Fiber& fiber) {
        fprintf(stderr, "lcpfs:   thread \"%s\": %s%s\n", fiber.name.c_str(),
                fiber.finished ? "finished, not joined" : &fiber == m_current ? "asks for the next thread; waits for "
                    : fiber.waits_on                                          ? "waits for "
                                                                              : "runnable",
                fiber.waits_on && !fiber.finished ? fiber.waits_for : "");
        for (u32 i = 0; i < fiber.context.held_count; i++)
            fprintf(stderr, "lcpfs:     holds lock %p of rank %s\n", fiber.context.held[i].lock,
                    lock_rank_name(fiber.context.held[i].rank));
        if (!fiber.finished && &fiber != m_current)
            print_backtrace(fiber);
    };
    one(m_driver);
    for (auto& fiber : m_fibers)
        one(*fiber);
}

}
