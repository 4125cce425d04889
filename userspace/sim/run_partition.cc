// SPDX-License-Identifier: GPL-2.0-only
// Kind partition: the controller of core/partition and what it is compared with, on traces of demand; a table and a verdict.
//
// Seeds 1, 4, 7..: the first set of traces, the six shapes of the specification. 2, 5, 8..: the second set (what was
// chosen on it: partition_second.cc). 3, 6, 9..: learning on and frozen, on a load that the priors do not fit.
//
// How the columns are judged. A policy that turns writes away stores less: it has less idle room and moves less because it does
// not do what was asked, and one that never moves anything moves nothing at all. So "best" in a column is the best of those
// that refuse none in the set. Of the five as they are that has, so far, always been this controller alone. So that the
// comparison is one, each of the others also runs with the growth inside writes lent to it (rows with a +): what a write lacks is
// given to it as this controller gives it, out of what is unassigned, else from whoever uses least of his, and the policy only
// places space ahead. Those rows refuse none. They are not the five of the specification, and no policy is within
// 5 % of the best of them in all columns: who never gives back moves least, who holds nothing ahead idles least, and
// each pays for it elsewhere. The verdict holds the controller to this:
//   refused   none
//   as they are     idle, moves and epsilon each best or within 5 % of the best of those that refuse none
//   with growth lent (+)    epsilon, the cost that it is there to lower, best or within 5 % of the best; idle best or within
//             5 % of all that do not let a tenth more of its epsilon happen; and no row at least as good in every column
#include <stdio.h>

#include "userspace/sim/failure.h"
#include "userspace/sim/partition_score.h"
#include "userspace/sim/run.h"

namespace lcpfs::sim {

namespace {

constexpr double k_within = 1.05;

struct Row {
    std::string name;
    bool lent;
    Score score;
};

std::unique_ptr<Policy> make_policy(size_t which)
{
    std::unique_ptr<Policy> (*const k_makers[])() = { make_fixed_split, make_autoextend, make_doubling, make_percentile };
    return which < 4 ? k_makers[which]() : which < 8 ? make_in_time(k_makers[which - 4]()) : make_controller(true);
}
constexpr size_t k_policies = 9;

std::string line(const std::string& trace, const std::string& policy, const Score& score)
{
    char text[160];
    snprintf(text, sizeof(text), "partition: %-15s %-19s %10llu %10.0f %9.2f %9.4f\n", trace.c_str(), policy.c_str(),
             static_cast<unsigned long long>(score.refused), score.idle, score.moves_per_hour(), score.epsilon);
    return text;
}

// One write, so that tables of processes that run at once do not mix.
void print(const std::string& text)
{
    fputs(text.c_str(), stdout);
    fflush(stdout);
}

void judge(const std::vector<Row>& rows)
{
    const Score& ours = rows.back().score;
    if (ours.refused)
        fail("partition: %llu writes were refused though the pool had room", static_cast<unsigned long long>(ours.refused));
    for (const Row& row : rows) {
        const Score& other = row.score;
        if (&row == &rows.back() || other.refused)
            continue;
        const char* name = row.name.c_str();
        if (ours.epsilon > other.epsilon * k_within)
            fail("partition: epsilon %.4f, with %s %.4f", ours.epsilon, name, other.epsilon);
        if (!row.lent && ours.moves_per_hour() > other.moves_per_hour() * k_within)
            fail("partition: %.2f moves per hour, with %s %.2f", ours.moves_per_hour(), name, other.moves_per_hour());
        if ((!row.lent || other.epsilon <= ours.epsilon * 1.1) && ours.idle > other.idle * k_within)
            fail("partition: %.0f GiB h idle, with %s %.0f", ours.idle, name, other.idle);
        if (other.idle <= ours.idle && other.moves <= ours.moves && other.epsilon <= ours.epsilon)
            fail("partition: %s is as good in every column", name);
    }
}

u64 run_table(u64 seed, TraceSet set)
{
    const std::vector<Trace> traces = make_traces(set, seed);
    std::string text = "partition: " + std::string(set == TraceSet::first ? "first" : "second") + " set of traces, seed " +
                       std::to_string(seed) +
                       "; + has the growth inside writes lent to it\n"
                       "partition: trace           policy                 refused  idle GiBh   moves/h   epsilon\n";
    std::vector<Row> rows(k_policies);
    for (const Trace& trace : traces)
        for (size_t i = 0; i < k_policies; i++) {
            std::unique_ptr<Policy> policy = make_policy(i);
            const Score score = replay(trace, *policy);
            rows[i].name = policy->name();
            rows[i].lent = i >= 4 && i < 8;
            rows[i].score.add(score);
            text += line(trace.name, rows[i].name, score);
        }
    for (const Row& row : rows)
        text += line("all", row.name, row.score);
    print(text);
    judge(rows);
    return k_policies * traces.size();
}

u64 run_learning(u64 seed)
{
    const Trace trace = make_slow_trace(seed);
    std::unique_ptr<Policy> learning = make_controller(true), frozen = make_controller(false);
    const Score on = replay(trace, *learning), off = replay(trace, *frozen);
    std::string text = "partition: learning, seed " + std::to_string(seed) + ", epsilon by day:";
    char number[64];
    for (size_t day = 0; day < on.epsilon_by_day.size(); day++) {
        snprintf(number, sizeof(number), " %.4f (frozen %.4f)", on.epsilon_by_day[day], off.epsilon_by_day[day]);
        text += number;
    }
    print(text + "\n");
    if (on.refused || off.refused)
        fail("partition: writes were refused though the pool had room");
    if (on.epsilon_by_day.back() > off.epsilon_by_day.back() * 0.9)
        fail("partition: learning did not lower epsilon by a tenth by the last day");
    return on.epsilon_by_day.size();
}

}

u64 run_partition(u64 seed, const Options&)
{
    return seed % 3 == 0 ? run_learning(seed) : run_table(seed, seed % 3 == 1 ? TraceSet::first : TraceSet::second);
}

}
