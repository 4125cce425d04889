// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/fsck/losses.h"

#include <set>
#include <utility>

#include "userspace/common/devices.h"
#include "userspace/common/message.h"

namespace lcpfs::tool {

namespace {

struct Entry {
    std::string name;
    uint64_t id;
    uint8_t type;
};

bool take(void* context, const char* name, uint32_t length, uint64_t id, uint8_t type, uint64_t)
{
    static_cast<std::vector<Entry>*>(context)->push_back({ std::string(name, length), id, type });
    return true;
}

struct Level {
    std::vector<Entry> entries;
    size_t next;
    size_t path_bytes; // of the path that leads here
};

int list(core_dataset* dataset, uint64_t id, std::vector<Entry>& entries)
{
    core_object* directory = nullptr;
    if (const int error = core_object_get(dataset, id, 0, &directory))
        return error;
    uint64_t cookie = 0;
    const int error = core_readdir(directory, &cookie, take, &entries);
    core_object_put(directory);
    return error;
}

// All below the root; objects that are found leave `wanted`. Directories may lie as deep as there is memory for their names.
void walk(core_dataset* dataset, const std::string& prefix, std::set<uint64_t>& wanted)
{
    constexpr uint8_t k_directory = 4; // DT_DIR
    std::string path;
    std::vector<Level> levels { { {}, 0, 0 } };
    if (const int error = list(dataset, CORE_ROOT_OBJECT, levels.back().entries))
        complain("{}/: {}", prefix, reason(error));
    while (!levels.empty() && !wanted.empty()) {
        Level& level = levels.back();
        path.resize(level.path_bytes);
        if (level.next == level.entries.size()) {
            levels.pop_back();
            continue;
        }
        const Entry entry = level.entries[level.next++];
        path += "/" + entry.name;
        if (wanted.erase(entry.id))
            fmt::print("{}{}: some of it is lost\n", prefix, path);
        if (entry.type != k_directory)
            continue;
        levels.push_back({ {}, 0, path.size() });
        if (const int error = list(dataset, entry.id, levels.back().entries))
            complain("{}{}: {}", prefix, path, reason(error));
    }
    for (const uint64_t id : wanted)
        fmt::print("{}object {}: some of it is lost\n", prefix, id);
}

int walk_dataset(core_pool* pool, uint64_t id, std::set<uint64_t>& wanted)
{
    core_dataset_info info;
    if (const int error = core_dataset_next(pool, id, &info))
        return error;
    if (info.id != id || info.is_destroying)
        return 0;
    core_dataset* dataset = nullptr;
    if (const int error = core_dataset_get(pool, info.name, &dataset))
        return error;
    const std::string prefix = id == 1 ? "" : fmt::format("dataset {}: ", info.name);
    if (wanted.erase(CORE_ROOT_OBJECT))
        fmt::print("{}/: some of it is lost\n", prefix);
    walk(dataset, prefix, wanted);
    core_dataset_put(dataset);
    return 0;
}

}

int print_losses(const std::vector<std::string>& devices, const Vector<HurtObject>& hurt)
{
    if (hurt.is_empty())
        return 0;
    OpenPool pool;
    if (const int error = pool.open(devices))
        return error;
    for (size_t i = 0; i < hurt.size();) {
        const uint64_t dataset = hurt[i].dataset;
        std::set<uint64_t> wanted;
        for (; i < hurt.size() && hurt[i].dataset == dataset; i++)
            wanted.insert(hurt[i].object);
        if (const int error = walk_dataset(pool.get(), dataset, wanted))
            return error;
    }
    return 0;
}

}
