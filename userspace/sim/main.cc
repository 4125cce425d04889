// SPDX-License-Identifier: GPL-2.0-only
// sim: the whole core on simulated disks, clock and scheduler. Without arguments: what `make sim` runs.
//
// Each seed of each kind runs in a process of its own: a crash of the core, a deadlock or a failed
// comparison is one failure with its seed, and the rest goes on.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <map>
#include <vector>

#include "core/test/breakage.h"
#include "userspace/host/common/log.h"
#include "userspace/host/common/thread_context.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/log_states.h"
#include "userspace/sim/run.h"

using namespace lcpfs;
using namespace lcpfs::sim;

namespace {

struct Kind {
    const char* name;
    u64 (*run)(u64 seed, const Options& options);
    u64 default_seeds;
    const char* unit;
};
constexpr Kind k_kinds[] = {
    { "crash", run_crash, 104, "crash points" },
    { "evacuate", run_evacuate, 24, "crash points while data moves" },
    { "fault", run_fault, 20, "faults" },
    { "enospc", run_no_space, 8, "refusals" },
    { "full", run_full, 8, "changes on full pools" },
    { "mutate", run_mutate, 40, "mutated images" },
    { "repair", run_repair, 20, "damaged images" },
    { "oom", run_out_of_memory, 8, "failed allocations" },
    { "path", run_path, 24, "broken paths" },
    { "logdev", run_log_device, 24, "crash points with a log device that failed" },
    { "logmirror", run_log_mirror, 24, "crash points with mirrored log devices" },
    { "log", run_log, 120, "crash states of the log" },
    { "partition", run_partition, 6, "verdicts on partitions" },
};
constexpr double k_child_limit_seconds = 600;

double now_seconds()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void usage()
{
    fprintf(stderr, "usage: sim [--seeds A..B | --seed N]\n"
                    "           [--kind crash|evacuate|fault|enospc|full|mutate|repair|oom|path|logdev|logmirror|log|partition|all]\n"
                    "           [--ops N] [--threads N] [--points N] [--point POSITION.VARIANT] [--jobs N] [--broken=NAME] [-v]\n"
                    "  --broken: a deliberate mistake (\"list\": which there are); succeeds when it is found\n");
    exit(2);
}

// The deliberate mistakes, and which kind of run is to find each.
#if defined(LCPFS_BREAK_CHOOSABLE)
using Switch = bool*;
#define LCPFS_SWITCH(flag) &breakage::flag
bool turn_on(Switch flag) { return *flag = true; }
#else
using Switch = bool;
#define LCPFS_SWITCH(flag) breakage::flag
bool turn_on(Switch flag) { return flag; }
#endif
struct Mistake {
    const char* name;
    Switch flag;
    const char* kind;
};
const Mistake k_mistakes[] = {
    { "skip-flush", LCPFS_SWITCH(skip_flush), "crash" },
    { "early-reuse", LCPFS_SWITCH(reuse_early), "crash" },
    { "skip-checksum", LCPFS_SWITCH(skip_checksum), "fault" },
    { "forget-failed-flush", LCPFS_SWITCH(forget_failed_flush), "fault" },
    { "forget-late-writes", LCPFS_SWITCH(forget_late_writes), "path" },
    { "unit-free-early", LCPFS_SWITCH(unit_free_early), "crash" },
    { "unit-trust", LCPFS_SWITCH(unit_trust), "fault" },
    { "log-skip-flush", LCPFS_SWITCH(log_skip_flush), "log" },
    { "log-ack-early", LCPFS_SWITCH(log_ack_early), "log" },
    { "log-reorder", LCPFS_SWITCH(log_reorder), "log" },
    { "log-replay-committed", LCPFS_SWITCH(log_replay_committed), "log" },
    { "log-takeover-early", LCPFS_SWITCH(log_takeover_early), "logdev" },
    { "log-trust-stale", LCPFS_SWITCH(log_trust_stale), "logmirror" },
    { "log-skip-claim", LCPFS_SWITCH(log_skip_claim), "log" },
};

// Switches a mistake on; false when this build does not have it.
bool break_core(Options& options)
{
    for (const Mistake& mistake : k_mistakes) {
        if (options.broken != mistake.name)
            continue;
        if (options.kind == "all")
            options.kind = mistake.kind;
        return turn_on(mistake.flag);
    }
    return false;
}

Options parse(int argc, char** argv)
{
    Options options;
    for (int i = 1; i < argc; i++) {
        std::string name = argv[i], value;
        if (size_t equals = name.find('='); equals != std::string::npos) {
            value = name.substr(equals + 1);
            name.resize(equals);
        } else if (name != "-v") {
            if (i + 1 == argc)
                usage();
            value = argv[++i];
        }
        u64 number = strtoull(value.c_str(), nullptr, 0);
        if (name == "-v") {
            options.verbose = true;
        } else if (name == "--seed") {
            options.first_seed = options.last_seed = number;
        } else if (name == "--seeds") {
            size_t dots = value.find("..");
            options.first_seed = number;
            options.last_seed = dots == std::string::npos ? number : strtoull(value.c_str() + dots + 2, nullptr, 0);
        } else if (name == "--ops") {
            options.operations = number;
        } else if (name == "--threads") {
            options.threads = number;
        } else if (name == "--points") {
            options.points = number;
        } else if (name == "--point") {
            options.point = value;
        } else if (name == "--kind") {
            options.kind = value;
        } else if (name == "--jobs") {
            options.jobs = static_cast<unsigned>(number);
        } else if (name == "--broken") {
            options.broken = value;
        } else {
            usage();
        }
    }
    return options;
}

std::string command_for(const char* program, const Kind& kind, u64 seed, const Options& options)
{
    std::string command = std::string(program) + " --kind " + kind.name + " --seed " + std::to_string(seed);
    if (options.operations)
        command += " --ops " + std::to_string(options.operations);
    if (options.threads)
        command += " --threads " + std::to_string(options.threads);
    if (options.points)
        command += " --points " + std::to_string(options.points);
    if (!options.broken.empty())
        command += " --broken=" + options.broken;
    return command;
}

[[maybe_unused]] void end_by_signal(int number)
{
    // What runs when the core crashes: say where in the run, then die of the signal.
    fprintf(stderr, "lcpfs: sim: FAILED: signal %d\nlcpfs:   again: %s\n", number, reproduce().c_str());
    signal(number, SIG_DFL);
    raise(number);
}

// What a child tells when it ends well.
struct Done {
    u64 checked { 0 };
    u64 states[k_state_classes] {}; // of the log, by class
};

struct Child {
    const Kind* kind;
    u64 seed;
    int result;
    double started;
};

pid_t start(const Kind& kind, u64 seed, const Options& options, const std::string& command, int& result)
{
    int ends[2];
    if (pipe(ends) != 0) {
        perror("lcpfs: sim: pipe");
        exit(2);
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) {
        perror("lcpfs: sim: fork");
        exit(2);
    }
    if (pid == 0) {
        close(ends[0]);
        set_reproduce(command);
        host_violation_hook = [] { fprintf(stderr, "lcpfs:   again: %s\n", reproduce().c_str()); };
        set_verbose(options.verbose);
        host_log_set_sink(
            [](void*, host_log_level, const char* text) {
                remember_log(text);
                if (is_verbose())
                    fprintf(stderr, "lcpfs: %s\n", text);
            },
            nullptr);
#if !defined(__SANITIZE_ADDRESS__)
        signal(SIGSEGV, end_by_signal);
        signal(SIGFPE, end_by_signal);
        signal(SIGILL, end_by_signal);
        signal(SIGBUS, end_by_signal);
#endif
        Done done;
        done.checked = kind.run(seed, options);
        for (u32 i = 0; i < k_state_classes; i++)
            done.states[i] = states_of(static_cast<StateClass>(i));
        if (write(ends[1], &done, sizeof(done)) != sizeof(done))
            _exit(3);
        _exit(0);
    }
    close(ends[1]);
    result = ends[0];
    return pid;
}

struct Totals {
    u64 passed { 0 }, failed { 0 };
    std::map<std::string, u64> by_kind;
    std::map<std::string, double> seconds;
    u64 states[k_state_classes] {};
    std::vector<std::string> failures;
};

void finish(pid_t pid, int status, std::map<pid_t, Child>& children, Totals& totals, const std::string& command)
{
    Child child = children[pid];
    children.erase(pid);
    Done done;
    bool told = read(child.result, &done, sizeof(done)) == sizeof(done);
    close(child.result);
    totals.seconds[child.kind->name] += now_seconds() - child.started;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && told) {
        totals.passed += done.checked;
        totals.by_kind[child.kind->name] += done.checked;
        for (u32 i = 0; i < k_state_classes; i++)
            totals.states[i] += done.states[i];
        return;
    }
    totals.failed++;
    totals.failures.push_back(command);
    if (WIFSIGNALED(status))
        fprintf(stderr, "lcpfs: sim: FAILED: ended by signal %d: %s\n", WTERMSIG(status), command.c_str());
}

// Waits for one child; kills those that hang.
void reap(std::map<pid_t, Child>& children, Totals& totals, const char* program, const Options& options)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0 && children.count(pid)) {
            std::string command = command_for(program, *children[pid].kind, children[pid].seed, options);
            finish(pid, status, children, totals, command);
            return;
        }
        for (auto& [hung, child] : children)
            if (now_seconds() - child.started > k_child_limit_seconds) {
                fprintf(stderr, "lcpfs: sim: FAILED: no end after %.0f s\n", k_child_limit_seconds);
                kill(hung, SIGKILL);
                child.started = now_seconds();
            }
        usleep(2000);
    }
}

}

int main(int argc, char** argv)
{
    Options options = parse(argc, argv);
    if (options.jobs == 0)
        options.jobs = static_cast<unsigned>(sysconf(_SC_NPROCESSORS_ONLN));
    if (options.broken == "list") {
        for (const Mistake& mistake : k_mistakes)
            printf("%s\n", mistake.name);
        return 0;
    }
    if (!options.broken.empty() && !break_core(options)) {
        fprintf(stderr, "lcpfs: sim: this build has no mistake \"%s\" (make BREAK=choosable builds one that has all)\n",
                options.broken.c_str());
        return 2;
    }
    struct Task {
        const Kind* kind;
        u64 seed;
    };
    std::vector<Task> tasks;
    for (const Kind& kind : k_kinds) {
        if (options.kind != "all" && options.kind != kind.name)
            continue;
        u64 last = options.last_seed ? options.last_seed : options.first_seed + kind.default_seeds - 1;
        for (u64 seed = options.first_seed; seed <= last; seed++)
            tasks.push_back({ &kind, seed });
    }
    if (tasks.empty())
        usage();

    Totals totals;
    std::map<pid_t, Child> children;
    double started = now_seconds(), shown = started;
    bool terminal = isatty(1);
    for (size_t next = 0; next < tasks.size() || !children.empty();) {
        bool enough = !options.broken.empty() && totals.failed;
        if (enough && children.empty())
            break;
        if (!enough && next < tasks.size() && children.size() < options.jobs) {
            const Task& task = tasks[next++];
            int result = -1;
            pid_t pid = start(*task.kind, task.seed, options, command_for(argv[0], *task.kind, task.seed, options), result);
            children[pid] = { task.kind, task.seed, result, now_seconds() };
            continue;
        }
        reap(children, totals, argv[0], options);
        if (now_seconds() - shown > (terminal ? 1 : 20)) {
            shown = now_seconds();
            printf("%ssim: %zu of %zu seeds, %llu checked, %llu failed, %.0f s%s", terminal ? "\r" : "", next - children.size(),
                   tasks.size(), static_cast<unsigned long long>(totals.passed), static_cast<unsigned long long>(totals.failed),
                   shown - started, terminal ? "  " : "\n");
            fflush(stdout);
        }
    }
    if (terminal)
        printf("\r");
    for (const Kind& kind : k_kinds)
        if (u64 done = totals.by_kind[kind.name])
            printf("sim: %llu %s in %.1f s of processor time, %.0f per second\n", static_cast<unsigned long long>(done), kind.unit,
                   totals.seconds[kind.name], static_cast<double>(done) / (totals.seconds[kind.name] + 1e-9));
    for (u32 i = 0; i < k_state_classes; i++)
        if (totals.states[i])
            printf("sim:   of the log, %s: %llu\n", k_state_class_names[i], static_cast<unsigned long long>(totals.states[i]));
    for (const std::string& command : totals.failures)
        printf("sim: failed: %s\n", command.c_str());
    if (!options.broken.empty()) {
        printf("sim: the mistake \"%s\" was %s\n", options.broken.c_str(), totals.failed ? "found" : "NOT found");
        printf("lcpfs-result: sim-broken %d passed, %d failed\n", totals.failed ? 1 : 0, totals.failed ? 0 : 1);
        return totals.failed ? 0 : 1;
    }
    printf("lcpfs-result: sim %llu passed, %llu failed\n", static_cast<unsigned long long>(totals.passed),
           static_cast<unsigned long long>(totals.failed));
    return totals.failed != 0;
}
