// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/judge.h"

#include "userspace/sim/failure.h"

namespace lcpfs::sim {

u64 match(Worker& worker, const Tree& found, const History::Range& range, u64 position)
{
    const History& history = worker.history();
    for (u64 i = range.last + 1; i-- > range.first;)
        if (history.states[i].hash() == found.hash())
            return i;
    std::string what;
    for (u64 i = 0; i < history.states.size() && what.empty(); i++)
        if (history.states[i].hash() == found.hash())
            what = i < range.first ? "it is the older state " + std::to_string(i) + " after \"" + history.descriptions[i]
                                         + "\": acknowledged work is lost"
                                   : "it is the later state " + std::to_string(i);
    if (what.empty()) {
        // The nearest: the one with the shortest list of differences.
        u64 best = range.first;
        std::string difference;
        for (u64 i = range.first; i <= range.last; i++) {
            std::string text = history.states[i].difference(found, false, 40);
            if (text.empty())
                return i; // but for what is open in it: how many blocks an allocation gave that was interrupted
            if (difference.empty() || text.size() < difference.size()) {
                difference = text;
                best = i;
            }
        }
        what = "it is no state at all; the nearest is " + std::to_string(best) + " after \"" + history.descriptions[best]
               + "\":" + difference;
    }
    fail("worker %u: after a crash at position %llu its subtree is none of the states %llu "
         "(acknowledged, \"%s\") to %llu "
         "(issued, \"%s\"): %s",
         worker.options().number, static_cast<unsigned long long>(position), static_cast<unsigned long long>(range.first),
         history.descriptions[range.first].c_str(), static_cast<unsigned long long>(range.last),
         history.descriptions[range.last].c_str(), what.c_str());
}

std::vector<Tree> walk_all(Run& run, const std::vector<Worker*>& workers)
{
    std::vector<Tree> trees;
    for (Worker* worker : workers)
        trees.push_back(walk(run.dataset(worker->options().dataset), worker->options().root, worker->walk_options()));
    return trees;
}

namespace {

// The oldest and the newest state that the tree may be: what does not change anything leaves
// several alike.
template <typename Is>
History::Range alike(const History::Range& range, Is is)
{
    History::Range found { range.last + 1, range.first };
    for (u64 i = range.first; i <= range.last; i++)
        if (is(i)) {
            found.first = min(found.first, i);
            found.last = i;
        }
    return found;
}

History::Range alike(const History& history, const Tree& tree, const History::Range& range)
{
    const History::Range same = alike(range, [&](u64 i) { return history.states[i].hash() == tree.hash(); });
    if (same.first <= same.last)
        return same;
    return alike(range, [&](u64 i) { return history.states[i].difference(tree, false, 1).empty(); }); // as in match
}

}

void match_all(const std::vector<Worker*>& workers, const std::vector<Tree>& found, u64 position, u64 kept)
{
    std::vector<History::Range> ranges;
    for (size_t i = 0; i < workers.size(); i++) {
        const History& history = workers[i]->history();
        const History::Range range { history.allowed(min(position, kept)).first, history.allowed(position).last };
        match(*workers[i], found[i], range, position);
        ranges.push_back(alike(history, found[i], range));
    }
    for (size_t i = 0; i < workers.size(); i++) {
        const u64 newest = ranges[i].first; // this one is there for certain
        const u64 began = workers[i]->history().began[newest];
        for (size_t other = 0; other < workers.size(); other++) {
            const History& history = workers[other]->history();
            const u64 lacks = ranges[other].last + 1;
            if (lacks < history.ended.size() && history.ended[lacks] < began)
                fail("after a crash at position %llu worker %u's \"%s\" is there, "
                     "but not worker %u's \"%s\", which had ended before",
                     static_cast<unsigned long long>(position), workers[i]->options().number,
                     workers[i]->history().descriptions[newest].c_str(), workers[other]->options().number,
                     history.descriptions[lacks].c_str());
        }
    }
}

}
