// SPDX-License-Identifier: GPL-2.0-only
// What was acknowledged before the power went has to be there: threads that change and sync, each in a directory of its own,
// and write down on another device how far they were told that things are durable.
//
// What a thread does follows from its seed and from nothing else. So after the crash its steps are done again on a model,
// and the directory has to be what it was after some step that is not before the last acknowledged one. The step that was
// under way may have written some of its blocks.
#include "userspace/torture/torture.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace torture {

namespace {

constexpr size_t k_block = 4096;
constexpr unsigned k_names = 12;
constexpr unsigned k_max_bytes = 1 << 20;
constexpr unsigned k_steps_ahead = 64; // more steps than anyone takes without a sync
constexpr uint64_t k_magic = 0x64656b6361736677ull;

enum class Kind { file, directory, symlink };

struct Node {
    Kind kind { Kind::file };
    std::string content; // of a file; a symlink's target
};
using Names = std::map<std::string, std::shared_ptr<Node>>;

enum class What { create, write, append, cut, make_directory, make_symlink, make_link, rename, remove };

struct Step {
    What what;
    std::string name, to;
    uint64_t offset { 0 };
    std::string bytes;
    unsigned how { 0 }; // of syncing: 0 fsync, 1 fdatasync, 2 O_DSYNC
    bool synced { false };
    bool is_data() const { return what == What::write || what == What::append; }
};

std::string name_of(uint64_t number) { return "n" + std::to_string(number); }

std::string some_bytes(Random& random, size_t count)
{
    std::string bytes(count, 0);
    for (size_t at = 0; at < count; at += 8) {
        const uint64_t word = random.next();
        memcpy(&bytes[at], &word, std::min<size_t>(8, count - at));
    }
    return bytes;
}

// The name of something of that kind, or "".
std::string pick(Random& random, const Names& names, bool wants_file)
{
    std::vector<const std::string*> found;
    for (const auto& [name, node] : names)
        if (!wants_file || node->kind == Kind::file)
            found.push_back(&name);
    return found.empty() ? std::string() : *found[random.below(found.size())];
}

// What changes a file's bytes; always synced.
void choose_data(Random& random, const Node& node, Step& step)
{
    const uint64_t size = node.content.size();
    step.synced = true;
    step.how = static_cast<unsigned>(random.below(3));
    if (size >= k_max_bytes || random.one_in(8)) {
        step.what = What::cut;
        step.offset = random.below(size + 1);
    } else if (size >= k_block && random.one_in(2)) {
        step.what = What::write;
        step.offset = random.below(size / k_block) * k_block;
        step.bytes = some_bytes(random, k_block * (random.one_in(10) ? 1 + random.below(40) : 1));
    } else {
        step.what = What::append;
        step.offset = size;
        step.bytes = some_bytes(random, 1 + random.below(random.one_in(10) ? 200000 : 2 * k_block));
    }
}

Step choose(Random& random, const Names& names)
{
    Step step {};
    const std::string file = pick(random, names, true);
    const std::string any = pick(random, names, false);
    const std::string fresh = name_of(random.below(k_names));
    const bool is_free = names.find(fresh) == names.end();
    step.synced = !random.one_in(3);
    step.name = fresh;
    const uint64_t dice = random.below(20);
    if (file.empty() && !is_free)
        step.what = What::remove;
    else if (file.empty() || (dice < 4 && is_free))
        step.what = What::create;
    else if (dice < 12)
        step.name = file, choose_data(random, *names.at(file), step);
    else if (dice < 13 && is_free)
        step.what = What::make_directory;
    else if (dice < 14 && is_free)
        step.what = What::make_symlink, step.bytes = "to-" + std::to_string(random.below(1000));
    else if (dice < 15 && is_free)
        step.what = What::make_link, step.name = file, step.to = fresh;
    else if (dice < 18 && (is_free || names.at(fresh)->kind == Kind::file))
        step.what = What::rename, step.name = file, step.to = fresh;
    else
        step.what = What::remove, step.name = any;
    return step;
}

void apply(Names& names, const Step& step)
{
    const auto make = [&](Kind kind) {
        names[step.name] = std::make_shared<Node>(Node { kind, step.bytes });
    };
    switch (step.what) {
    case What::create:
        return make(Kind::file);
    case What::make_directory:
        return make(Kind::directory);
    case What::make_symlink:
        return make(Kind::symlink);
    case What::write:
    case What::append: {
        std::string& content = names.at(step.name)->content;
        content.resize(std::max<size_t>(content.size(), step.offset + step.bytes.size()));
        content.replace(step.offset, step.bytes.size(), step.bytes);
        return;
    }
    case What::cut:
        return names.at(step.name)->content.resize(step.offset);
    case What::make_link:
        names[step.to] = names.at(step.name);
        return;
    case What::rename:
        // Two names of one file: rename does nothing.
        if (names.find(step.to) != names.end() && names.at(step.to) == names.at(step.name))
            return;
        names[step.to] = names.at(step.name);
        names.erase(step.name);
        return;
    case What::remove:
        names.erase(step.name);
        return;
    }
}

void sync_file(int fd, unsigned how) { must((how == 1 ? fdatasync(fd) : fsync(fd)) == 0, "fsync"); }

void perform_on_file(int directory, const Step& step)
{
    const int flags = step.what == What::create ? O_CREAT | O_EXCL : step.how == 2 && step.is_data() ? O_DSYNC : 0;
    const int fd = openat(directory, step.name.c_str(), O_RDWR | flags, 0644);
    must(fd >= 0, "open");
    if (step.what == What::cut)
        must(ftruncate(fd, static_cast<off_t>(step.offset)) == 0, "ftruncate");
    else if (step.is_data())
        must(pwrite(fd, step.bytes.data(), step.bytes.size(), static_cast<off_t>(step.offset))
                 == static_cast<ssize_t>(step.bytes.size()),
             "pwrite");
    if (step.synced && !(flags & O_DSYNC))
        sync_file(fd, step.how);
    must(close(fd) == 0, "close");
}

void perform(int directory, const Names& names, const Step& step)
{
    const char* name = step.name.c_str();
    const char* to = step.to.c_str();
    switch (step.what) {
    case What::create:
    case What::write:
    case What::append:
    case What::cut:
        return perform_on_file(directory, step);
    case What::make_directory:
        must(mkdirat(directory, name, 0755) == 0, "mkdir");
        break;
    case What::make_symlink:
        must(symlinkat(step.bytes.c_str(), directory, name) == 0, "symlink");
        break;
    case What::make_link:
        must(linkat(directory, name, directory, to, 0) == 0, "link");
        break;
    case What::rename:
        must(renameat(directory, name, directory, to) == 0, "rename");
        break;
    case What::remove:
        must(unlinkat(directory, name, names.at(step.name)->kind == Kind::directory ? AT_REMOVEDIR : 0) == 0, "unlink");
        break;
    }
    if (step.synced)
        sync_file(directory, 0);
}

// A sector of the witness: how far a thread has been told that it is durable.
struct Witness {
    uint64_t magic, seed, acknowledged, sum;
    uint64_t right_sum() const { return (magic * 31 + seed) * 31 + acknowledged; }
};

struct Sector {
    explicit Sector(int fd_, unsigned thread) : fd(fd_), offset(static_cast<off_t>(thread) * static_cast<off_t>(k_block))
    {
        must(posix_memalign(&memory, k_block, k_block) == 0, "memory");
        memset(memory, 0, k_block);
    }
    ~Sector() { free(memory); }
    Sector(const Sector&) = delete;
    void write(uint64_t seed, uint64_t acknowledged)
    {
        Witness witness { k_magic, seed, acknowledged, 0 };
        witness.sum = witness.right_sum();
        memcpy(memory, &witness, sizeof(witness));
        must(pwrite(fd, memory, k_block, offset) == static_cast<ssize_t>(k_block), "the witness");
    }
    Witness read()
    {
        Witness witness;
        must(pread(fd, memory, k_block, offset) == static_cast<ssize_t>(k_block), "the witness");
        memcpy(&witness, memory, sizeof(witness));
        if (witness.magic != k_magic || witness.sum != witness.right_sum())
            fail("the witness is not readable");
        return witness;
    }
    int fd;
    off_t offset;
    void* memory { nullptr };
};

uint64_t seed_of(uint64_t seed, unsigned thread) { return seed * 1000 + thread; }

void work(int parent, int witness, unsigned thread, uint64_t seed, double seconds)
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const double end = static_cast<double>(now.tv_sec) + seconds;
    const std::string own = "t" + std::to_string(thread);
    must(mkdirat(parent, own.c_str(), 0755) == 0, "mkdir");
    const int directory = openat(parent, own.c_str(), O_RDONLY | O_DIRECTORY);
    must(directory >= 0, "open");
    must(fsync(directory) == 0, "fsync");
    Sector sector(witness, thread);
    sector.write(seed, 0);
    Random random(seed_of(seed, thread));
    Names names;
    for (uint64_t count = 1; static_cast<double>(now.tv_sec) < end; count++) {
        const Step step = choose(random, names);
        perform(directory, names, step);
        apply(names, step);
        if (step.synced)
            sector.write(seed, count);
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    must(close(directory) == 0, "close");
}

// ---- looking

struct FoundNode {
    Kind kind;
    ino_t number;
    std::string content;
};
using Found = std::map<std::string, FoundNode>;

std::string content_of(int directory, const char* name, const struct stat& status)
{
    std::string content(static_cast<size_t>(status.st_size), 0);
    if (S_ISLNK(status.st_mode)) {
        must(readlinkat(directory, name, content.data(), content.size()) == status.st_size, "readlink");
        return content;
    }
    const int fd = openat(directory, name, O_RDONLY);
    must(fd >= 0, "open");
    must(pread(fd, content.data(), content.size(), 0) == status.st_size, "read");
    must(close(fd) == 0, "close");
    return content;
}

Found look(int parent, const std::string& own)
{
    Found found;
    const int directory = openat(parent, own.c_str(), O_RDONLY | O_DIRECTORY);
    must(directory >= 0, "a directory that was synced");
    DIR* stream = fdopendir(directory);
    must(stream != nullptr, "opendir");
    while (const dirent* entry = readdir(stream)) {
        if (entry->d_name[0] == '.')
            continue;
        struct stat status;
        must(fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0, "stat");
        FoundNode& node = found[entry->d_name];
        node.kind = S_ISDIR(status.st_mode) ? Kind::directory : S_ISLNK(status.st_mode) ? Kind::symlink : Kind::file;
        node.number = status.st_ino;
        if (node.kind != Kind::directory)
            node.content = content_of(directory, entry->d_name, status);
    }
    closedir(stream);
    return found;
}

// Whether `content` is `before` with some blocks as `after` has them.
bool is_between(const std::string& content, const std::string& before, const std::string& after)
{
    if (content.size() < std::min(before.size(), after.size()) || content.size() > std::max(before.size(), after.size()))
        return false;
    for (size_t at = 0; at < content.size(); at += k_block) {
        const size_t count = std::min(k_block, content.size() - at);
        const auto has = [&](const std::string& other) {
            return at + count <= other.size() && !content.compare(at, count, other, at, count);
        };
        // The block the old end was in, as it was, is shorter.
        const bool is_old_end = at < before.size() && before.size() < at + count
            && !content.compare(at, before.size() - at, before, at, before.size() - at)
            && content.find_first_not_of('\0', before.size()) >= at + count;
        if (!has(before) && !has(after) && !is_old_end)
            return false;
    }
    return true;
}

// "" or what is different. `next`: the step after, which may be half done.
std::string difference(const Found& found, const Names& names, const Step* next)
{
    std::map<const Node*, ino_t> numbers;
    std::map<ino_t, const Node*> nodes;
    for (const auto& [name, node] : names) {
        const auto other = found.find(name);
        if (other == found.end())
            return name + " is missing";
        if (other->second.kind != node->kind)
            return name + " is something else";
        if (!numbers.emplace(node.get(), other->second.number).second && numbers[node.get()] != other->second.number)
            return name + " is another file than its other name";
        if (!nodes.emplace(other->second.number, node.get()).second && nodes[other->second.number] != node.get())
            return name + " is the same file as another";
        if (other->second.content == node->content)
            continue;
        if (!next || !next->is_data() || names.at(next->name) != node)
            return name + " has other bytes (" + std::to_string(other->second.content.size()) + " of them; "
                + std::to_string(node->content.size()) + " before)";
        Names after { { next->name, std::make_shared<Node>(*node) } };
        apply(after, *next);
        if (!is_between(other->second.content, node->content, after.at(next->name)->content))
            return name + " has bytes of no time";
    }
    for (const auto& [name, node] : found)
        if (names.find(name) == names.end())
            return name + " should not be there";
    return "";
}

// Gives the number of steps it is beyond the acknowledged ones.
uint64_t judge(int parent, int witness, unsigned thread, uint64_t& acknowledged)
{
    Sector sector(witness, thread);
    const Witness said = sector.read();
    acknowledged = said.acknowledged;
    const std::string own = "t" + std::to_string(thread);
    const Found found = look(parent, own);
    Random random(seed_of(said.seed, thread));
    Names names;
    std::string first;
    for (uint64_t count = 0; count <= said.acknowledged + k_steps_ahead; count++) {
        const Step step = choose(random, names);
        if (count >= said.acknowledged) {
            const std::string different = difference(found, names, &step);
            if (different.empty())
                return count - said.acknowledged;
            if (first.empty())
                first = different;
        }
        apply(names, step);
    }
    fail("thread %u, seed %llu: nothing that was after step %llu or later: %s", thread, static_cast<unsigned long long>(said.seed),
         static_cast<unsigned long long>(said.acknowledged), first.c_str());
}

}

int acknowledged(int count, char** words)
{
    if (count < 4)
        fail("acknowledged DIRECTORY WITNESS THREADS check|SEED [SECONDS]");
    const unsigned threads = static_cast<unsigned>(atoi(words[2]));
    const bool checks = !strcmp(words[3], "check");
    const int witness = open(words[1], O_RDWR | O_DIRECT | O_DSYNC);
    must(witness >= 0, words[1]);
    const int parent = open(words[0], O_RDONLY | O_DIRECTORY);
    must(parent >= 0, words[0]);
    if (checks) {
        uint64_t steps = 0, beyond = 0;
        for (unsigned thread = 0; thread < threads; thread++) {
            uint64_t of_thread = 0;
            beyond += judge(parent, witness, thread, of_thread);
            steps += of_thread;
        }
        printf("%llu steps were acknowledged and are there, %llu more\n", static_cast<unsigned long long>(steps),
               static_cast<unsigned long long>(beyond));
        return 0;
    }
    const uint64_t seed = strtoull(words[3], nullptr, 0);
    const double seconds = count > 4 ? atof(words[4]) : 1e9;
    std::vector<std::thread> all;
    for (unsigned thread = 0; thread < threads; thread++)
        all.emplace_back(work, parent, witness, thread, seed, seconds);
    for (std::thread& thread : all)
        thread.join();
    return 0;
}

}
