// SPDX-License-Identifier: GPL-2.0-only
// Kind partition: the controller of core/partition and what it is compared with, on traces of demand; a table and a verdict.
//
// Seeds 1, 4, 7..: the first set of traces, the six shapes of the specification. 2, 5, 8..: the second set (what was
// chosen on it: partition_second.cc). 3, 6, 9..: learning on and frozen, on a load that the priors do not fit.
//
// How the columns are judged. There is no one fair way, so there are three, and all are printed:
//   to the letter   the best in a column is the best of the five, whatever it refused. That nobody reaches: a fixed split moves nothing
//                   at all, and who refuses most has least room idle and moves least, since he does not do what was asked. What
//                   is not reached has to be out of reach of any policy that refuses none, by the bounds of
//                   partition_bounds.h; and so it is: with so few moves there is more idle. Epsilon is to be reached.
//   none refused    the best of those that refuse none in the set. Of the five that has so far always been this controller alone.
//   growth lent     so that there is somebody to compare with, each of the others also runs with the growth inside writes lent to
//                   it (rows with a +): what a write lacks is given to it as this controller gives it, out of what is
//                   unassigned, else from whoever uses least of his, and the policy only places space ahead. Those rows
//                   refuse none, and they are not the five of the specification. Who never gives back moves least, who holds
//                   nothing ahead idles least, and each pays for it elsewhere.
// The verdict holds the controller to this:
//   refused         none
//   to the letter   epsilon best or within 5 % of the best; idle and moves so, or out of reach of all
//   none refused    idle, moves and epsilon each best or within 5 % of the best
//   growth lent     epsilon so; idle best or within 5 % of all that do not let a tenth more epsilon happen; and no row at
//                   least as good in every column
//   the bound       epsilon at most k_above_bound times the least that any policy with so much idle can have, the future known
#include <stdio.h>

#include <algorithm>

#include "userspace/sim/failure.h"
#include "userspace/sim/partition_bounds.h"
#include "userspace/sim/partition_score.h"
#include "userspace/sim/run.h"

namespace lcpfs::sim {

namespace {

constexpr double k_within = 1.05;
constexpr double k_above_bound = 1.3;

struct Row {
    std::string name;
    bool lent;
    Score score;
};

struct Best {
    bool any { false };
    double idle { 0 }, moves_per_hour { 0 }, epsilon { 0 };
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

enum class Reading { letter, none_refused, growth_lent };

bool counts(const Row& row, Reading reading)
{
    switch (reading) {
    case Reading::letter: return !row.lent;
    case Reading::none_refused: return !row.lent && !row.score.refused;
    case Reading::growth_lent: return row.lent;
    }
    return false;
}

// The best of all others that count in it.
Best best_of(const std::vector<Row>& rows, Reading reading)
{
    Best best;
    for (size_t i = 0; i + 1 < rows.size(); i++) {
        if (!counts(rows[i], reading))
            continue;
        const Score& score = rows[i].score;
        best.idle = best.any ? std::min(best.idle, score.idle) : score.idle;
        best.moves_per_hour = best.any ? std::min(best.moves_per_hour, score.moves_per_hour()) : score.moves_per_hour();
        best.epsilon = best.any ? std::min(best.epsilon, score.epsilon) : score.epsilon;
        best.any = true;
    }
    return best;
}

std::string verdict(const char* name, const Score& ours, const Best& best)
{
    char text[200];
    if (!best.any) {
        snprintf(text, sizeof(text), "partition: %-13s no other policy refuses none\n", name);
        return text;
    }
    const auto word = [](double is, double other) { return is <= other ? "best" : is <= other * k_within ? "within 5 %" : "not best"; };
    snprintf(text, sizeof(text), "partition: %-13s idle %s (others' best %.0f), moves %s (%.2f), epsilon %s (%.4f)\n", name,
             word(ours.idle, best.idle), best.idle, word(ours.moves_per_hour(), best.moves_per_hour), best.moves_per_hour,
             word(ours.epsilon, best.epsilon), best.epsilon);
    return text;
}

// What bounds say of a table.
struct Reach {
    double idle;    // the least with the letter's best moves
    double epsilon; // the least with the idle room that there is
};

// To the letter: what is not reached has to be out of reach.
void judge_letter(const Score& ours, const Best& best, const Reach& reach)
{
    const bool idle = ours.idle <= best.idle * k_within, moves = ours.moves_per_hour() <= best.moves_per_hour * k_within;
    if ((!idle || !moves) && reach.idle <= best.idle * k_within)
        fail("partition: %.0f GiB h idle and %.2f moves per hour are not out of reach, and not reached", best.idle,
             best.moves_per_hour);
    if (ours.epsilon > best.epsilon * k_within)
        fail("partition: epsilon %.4f, the best of all %.4f", ours.epsilon, best.epsilon);
    if (ours.epsilon > reach.epsilon * k_above_bound)
        fail("partition: epsilon %.4f, and %.4f can be had", ours.epsilon, reach.epsilon);
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

std::string verdicts(const std::vector<Row>& rows, const Reach& reach)
{
    const Score& ours = rows.back().score;
    const Best letter = best_of(rows, Reading::letter);
    std::string text = verdict("to the letter", ours, letter) + verdict("none refused", ours, best_of(rows, Reading::none_refused)) +
                       verdict("growth lent", ours, best_of(rows, Reading::growth_lent));
    char line[240];
    snprintf(line, sizeof(line),
             "partition: bounds        refusing none and moving %.2f per hour, any policy has at least %.0f idle; with %.0f idle, epsilon "
             "at least %.4f (this one: %.4f)\n",
             letter.moves_per_hour, reach.idle, ours.idle, reach.epsilon,
             ours.epsilon);
    return text + line;
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
    const Bounds bounds(traces);
    const Best letter = best_of(rows, Reading::letter);
    const Reach reach { bounds.least_idle(letter.moves_per_hour * k_within), bounds.least_epsilon(rows.back().score.idle) };
    print(text + verdicts(rows, reach));
    judge(rows);
    judge_letter(rows.back().score, letter, reach);
    return k_policies * traces.size();
}

// The load is the same in each window but for a slow growth, so what falls between the two is what was learned.
u64 run_learning(u64 seed)
{
    const Trace trace = make_slow_trace(seed);
    std::unique_ptr<Policy> learning = make_controller(true), frozen = make_controller(false);
    const Score on = replay(trace, *learning), off = replay(trace, *frozen);
    std::string text = "partition: epsilon over time on " + trace.name + ", which the priors do not fit, seed " + std::to_string(seed) +
                       "\npartition: hours        learning    frozen\n";
    char line[80];
    const size_t windows = on.epsilon_by_window.size();
    double last_on = 0, last_off = 0; // a day, so that a wave of the load weighs alike
    for (size_t window = 0; window < windows; window++) {
        snprintf(line, sizeof(line), "partition: %3zu to %3zu   %9.4f %9.4f\n", window * 6, window * 6 + 6, on.epsilon_by_window[window],
                 off.epsilon_by_window[window]);
        text += line;
        last_on += window + 4 >= windows ? on.epsilon_by_window[window] : 0;
        last_off += window + 4 >= windows ? off.epsilon_by_window[window] : 0;
    }
    print(text);
    if (on.refused || off.refused)
        fail("partition: writes were refused though the pool had room");
    if (last_on > last_off * 0.75)
        fail("partition: learning did not lower epsilon by a quarter by the last day: %.4f, frozen %.4f", last_on / 4, last_off / 4);
    return windows;
}

}

u64 run_partition(u64 seed, const Options&)
{
    return seed % 3 == 0 ? run_learning(seed) : run_table(seed, seed % 3 == 1 ? TraceSet::first : TraceSet::second);
}

}
