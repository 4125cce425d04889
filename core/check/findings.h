// SPDX-License-Identifier: GPL-2.0-only
// Findings: where the checker says what it found, one line each, and counts.
#pragma once

#include "core/api/core.h"
#include "core/base/format_text.h"
#include "core/base/result.h"
#include "core/cache/node_page.h"

namespace lcpfs {

const char* name_of(TreeKind kind);

class Findings {
public:
    Findings(void (*problem)(void*, const char*), void (*progress)(void*, u64, u64), void* context, core_check_report& report)
        : m_report(report), m_problem(problem), m_progress(progress), m_context(context)
    {
    }

    // say("object ", id, ": wrong"): texts and numbers in turn.
    template <typename... Parts>
    [[gnu::noinline]] void say(Parts... parts)
    {
        TextLine line;
        add_dataset(line);
        (line.add(parts), ...);
        emit(line);
    }
    // What is said from now on is about this dataset; 0: not said, the first or none.
    void set_dataset(u64 id) { m_dataset = id; }
    void add_dataset(TextLine& line) const
    {
        if (m_dataset)
            line.add("in dataset ").add(m_dataset).add(": ");
    }
    // say_of(owner, "a node is wrong"): of which tree, then texts and numbers.
    template <typename... Parts>
    [[gnu::noinline]] void say_of(const TreeOwner& owner, Parts... parts)
    {
        TextLine line;
        add_owner(line, owner);
        (line.add(parts), ...);
        emit(line);
    }
    static void add_owner(TextLine& line, const TreeOwner& owner)
    {
        line.add(name_of(owner.kind));
        if (owner.object)
            line.add(" of object ").add(owner.object).add(" in dataset ").add(owner.dataset);
        else if (owner.dataset)
            line.add(" of dataset ").add(owner.dataset);
        line.add(": ");
    }
    void emit(const TextLine& line)
    {
        m_report.problems++;
        if (m_problem)
            m_problem(m_context, line.text());
    }

    void set_total(u64 total) { m_total = total; }
    void advance(u64 blocks)
    {
        m_done += blocks;
        if (m_progress && m_done >= m_next) {
            m_progress(m_context, min(m_done, m_total), m_total);
            m_next = m_done + m_total / 200 + 1;
        }
    }
    core_check_report& report() { return m_report; }

private:
    core_check_report& m_report;
    void (*m_problem)(void*, const char*);
    void (*m_progress)(void*, u64, u64);
    void* m_context;
    u64 m_dataset { 0 };
    u64 m_done { 0 }, m_total { 0 }, m_next { 0 };
};

}
