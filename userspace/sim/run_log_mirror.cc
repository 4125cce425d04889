// SPDX-License-Identifier: GPL-2.0-only
// Runs with two or three log devices that mirror each other: some fail for a moment or for good while the pool is in use, or they
// are taken out and put in again, and no operation may fail for it. Then the power is cut, and the pool is opened with some of the
// devices, whatever each holds. It may be refused only when none is there that has the whole log, and a device that never
// failed has it. Opened, all that was acknowledged is there. What is done with some of them only is there when all are, and
// those that were away alone are refused.
#include <errno.h>

#include "core/api/handles.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/judge.h"
#include "userspace/sim/log_devices.h"
#include "userspace/sim/prepare.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

namespace {

constexpr u64 k_default_points = 16;

struct Recorded {
    std::vector<Worker*> workers;
    std::vector<LogDiskKind> logs;
    u32 never_failed { 0 };  // bits of log disks
    bool is_changed { false }; // members came and went on demand
    u32 all() const { return (1u << logs.size()) - 1; }
};

// Of images with all log disks those that are to be there, as bits.
Images with_logs(const Recorded& recorded, const Images& images, u32 logs)
{
    Images result;
    const size_t data = images.size() - recorded.logs.size();
    for (size_t i = 0; i < images.size(); i++)
        if (i < data || (logs >> (i - data) & 1))
            result.push_back(std::make_unique<Image>(images[i]->bytes(), images[i].get()));
    return result;
}

void keep(const Recorded& recorded, Images& images, u32 logs, Images& layers)
{
    const size_t data = images.size() - recorded.logs.size();
    size_t next = 0;
    for (size_t i = 0; i < images.size(); i++)
        if (i < data || (logs >> (i - data) & 1))
            images[i]->take(*layers[next++]);
}

void apply_kinds(const Recorded& recorded, Run& run, u32 logs)
{
    size_t next = run.disks().size() - static_cast<size_t>(__builtin_popcount(logs));
    for (size_t i = 0; i < recorded.logs.size(); i++)
        if (logs >> i & 1)
            recorded.logs[i].apply(*run.disks()[next++]);
}

// What the newest committed group says, with all of them there.
struct Said {
    bool holds_log { false }; // they do
    u32 named { 0 }, whole { 0 };
};

Said look(const Recorded& recorded, const Images& images)
{
    Images layers = with_logs(recorded, images, recorded.all());
    Run run(pointers(layers), 1000, false);
    apply_kinds(recorded, run, recorded.all());
    run.open(true, true);
    Pool& pool = pool_of(run.pool());
    const LogRing& ring = pool.intent_log().ring(k_device_ring);
    Said said;
    said.holds_log = pool.uberblock().log_ring == k_device_ring;
    const size_t data = images.size() - recorded.logs.size();
    for (u32 member = 0; member < ring.member_count(); member++)
        for (size_t i = 0; i < recorded.logs.size(); i++) {
            const bool is_it = pool.vdevs().vdev(ring.device_of(member)).bdev == run.disks()[data + i].get();
            said.named |= u32(is_it && (ring.named() >> member & 1)) << i;
            said.whole |= u32(is_it && (ring.named() & ~ring.members().stale) >> member & 1) << i;
        }
    if (int error = run.close())
        fail("core_pool_close gave %d", error);
    return said;
}

// Puts a name into the root and makes it durable by the log.
void make_durable(Run& run, const std::string& name)
{
    (void)make_directory(run, name);
    core_object* root = get_object(run, CORE_ROOT_OBJECT);
    if (int error = core_object_sync(root))
        fail("fsync gave %d", error);
    core_object_put(root);
}

bool has_name(Run& run, const std::string& name)
{
    core_object* root = get_object(run, CORE_ROOT_OBJECT);
    uint64_t id = 0;
    uint8_t type = 0;
    const int error = core_lookup(root, name.data(), static_cast<u32>(name.size()), &id, &type);
    core_object_put(root);
    if (error && error != -ENOENT)
        fail("looking for %s gave %d", name.c_str(), error);
    return error == 0;
}

// Opens `images` with those log disks; what that writes stays in them. False: it was refused.
bool open_with(const Recorded& recorded, Images& images, u32 logs, u64 position, const std::string& made, const std::string& makes)
{
    Images layers = with_logs(recorded, images, logs);
    Run run(pointers(layers), 1000, false);
    apply_kinds(recorded, run, logs);
    const int error = run.try_open(false);
    if (error && error != -ENXIO)
        fail("opening with the log devices %x gave %d", logs, error);
    if (error)
        return false;
    match_all(recorded.workers, walk_all(run, recorded.workers), position);
    if (!made.empty() && !has_name(run, made))
        fail("with the log devices %x what was made durable with others is gone", logs);
    if (!makes.empty())
        make_durable(run, makes);
    run.check(false);
    run.abandon();
    keep(recorded, images, logs, layers);
    return true;
}

// `first` of them, then those that were away alone, then all.
void judge(const Recorded& recorded, const Images& crashed, const Said& said, u32 first, u64 position)
{
    Images images = with_logs(recorded, crashed, recorded.all());
    const bool opened = open_with(recorded, images, first, position, "", "once");
    const u32 wanted = said.holds_log ? said.whole : said.named;
    if (opened != (said.named == 0 || (wanted & first)))
        fail("with the log devices %x opening was %s, though %x have the whole log", first, opened ? "not refused" : "refused", wanted);
    if (!opened && (first & recorded.never_failed) && !recorded.is_changed)
        fail("with the log devices %x opening was refused, though %x have never failed", first, recorded.never_failed);
    if (!opened)
        return;
    const u32 away = recorded.all() & ~first;
    if (away && said.named && open_with(recorded, images, away & said.named, position, "once", ""))
        fail("with the log devices %x opening was not refused, though they were away", away & said.named);
    if (!open_with(recorded, images, recorded.all(), position, "once", "twice"))
        fail("with all log devices opening was refused");
    if (said.named & away)
        if (!open_with(recorded, images, away, position, "twice", ""))
            fail("with the log devices %x opening was refused, though they were there again", away);
}

void change_members(Run& run, Random& random)
{
    for (u32 n = 0; n < 6; n++) {
        for (u64 pause = random.below(40); pause && !run.frozen(); pause--)
            Scheduler::get().yield();
        core_log_member members[CORE_LOG_MEMBERS];
        const unsigned count = core_log_get_members(run.pool(), members, CORE_LOG_MEMBERS);
        const core_log_member& member = members[random.below(count)];
        const bool is_in = member.state == CORE_LOG_MEMBER_ACTIVE;
        const int error = (is_in ? core_log_remove : core_log_add)(run.pool(), member.device);
        // It may have failed meanwhile, and be put in all the same.
        if (error)
            fail("%s log device %u gave %d", is_in ? "removing" : "adding", member.device, error);
    }
}

void operate(Run& run, const std::vector<u64>& roots, bool is_changed, Random& choice, const Options& options)
{
    add_syncing_workers(run, roots, choice);
    const size_t logs = run.disks().size();
    const u64 failing = choice.one_in(4) ? 0 : choice.between(1, 3);
    for (size_t i = 0; i < 3; i++)
        if (failing >> i & 1)
            fail_writes_now_and_then(*run.disks()[logs - 1 - i % 2], choice);
    struct Change {
        Run& run;
        Random random;
    } change { run, Random(choice.next()) };
    Fiber* changer = nullptr;
    if (is_changed)
        changer = Scheduler::get().start(
            "changer", [](void* context) { change_members(static_cast<Change*>(context)->run, static_cast<Change*>(context)->random); },
            &change);
    run.operate(options.operations ? options.operations : choice.between(60, 160) / roots.size() + 1);
    if (changer)
        Scheduler::get().join(changer);
}

void check_states(Run& run, const Recorded& recorded)
{
    core_log_member members[CORE_LOG_MEMBERS];
    const unsigned count = core_log_get_members(run.pool(), members, CORE_LOG_MEMBERS);
    u32 failed = 0;
    for (unsigned i = 0; i < count; i++)
        failed += members[i].state == CORE_LOG_MEMBER_FAILED;
    const auto expected = static_cast<u32>(__builtin_popcount(recorded.all() & ~recorded.never_failed));
    const core_log_device device = !failed ? CORE_LOG_DEVICE_ACTIVE : failed == count ? CORE_LOG_DEVICE_FAILED : CORE_LOG_DEVICE_DEGRADED;
    if (run.status().frozen || failed != expected || run.status().log_device != device)
        fail("%u of %u log devices are said to have failed, not %u; together %d", failed, count, expected, run.status().log_device);
}

}

u64 run_log_mirror(u64 seed, const Options& options)
{
    static constexpr u32 k_switch[] = { 2, 5, 20, 100 };
    Random choice(mix(seed, 1));
    Scheduler& scheduler = Scheduler::get();
    scheduler.reset(mix(seed, 2), k_switch[choice.below(4)]);
    PoolShape shape = random_shape(choice);
    shape.add_log_device(choice);
    shape.log_disks = choice.one_in(3) ? 3 : 2;
    shape.format.log_devices = shape.log_disks;
    Recorded recorded;
    for (u32 i = 0; i < shape.log_disks; i++)
        recorded.logs.push_back({ choice.one_in(3) ? 4096u : 512u, !choice.one_in(3) });
    recorded.is_changed = choice.one_in(3);
    const u64 threads = options.threads ? options.threads : choice.one_in(2) ? 1 : choice.between(2, 4);
    Images base = empty_images(shape);
    std::vector<u64> roots;
    {
        Run setup(pointers(base), shape.latency_ns, false);
        apply_kinds(recorded, setup, recorded.all());
        setup.format(shape.format);
        setup.open(false);
        for (u64 i = 0; i < threads; i++)
            roots.push_back(make_directory(setup, "worker" + std::to_string(i)));
        if (int error = setup.close())
            fail("closing the new pool gave %d", error);
    }
    Images layers = layers_over(base);
    Run run(pointers(layers), shape.latency_ns);
    apply_kinds(recorded, run, recorded.all());
    operate(run, roots, recorded.is_changed, choice, options);
    for (auto& worker : run.workers) {
        worker->check_live();
        recorded.workers.push_back(worker.get());
    }
    for (size_t i = 0; i < recorded.logs.size(); i++)
        recorded.never_failed |= u32(run.disks()[shape.disks + i]->faults_fired == 0) << i;
    if (!recorded.is_changed)
        check_states(run, recorded);
    const u64 end = run.log().position();
    run.abandon();

    const std::vector<u64> points = points_of(options, options.points ? options.points : k_default_points, end, choice);
    const std::string command = reproduce();
    CrashCursor cursor(run.log(), pointers(base));
    for (u64 position : points) {
        set_reproduce(command + " --point " + std::to_string(position));
        forget_log();
        cursor.advance_to(min(position, end));
        Random random(mix(mix(seed, position), 5));
        scheduler.reset(random.next(), 50);
        const Images images = cursor.crash(random);
        const Said said = look(recorded, images);
        for (u32 logs = 0; logs <= recorded.all(); logs++)
            judge(recorded, images, said, logs, position);
    }
    set_reproduce(command);
    return points.size();
}

}
