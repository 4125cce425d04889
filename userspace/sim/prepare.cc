// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/prepare.h"

#include "userspace/sim/failure.h"

namespace lcpfs::sim {

std::vector<Image*> pointers(const Images& images)
{
    std::vector<Image*> result;
    for (auto& image : images)
        result.push_back(image.get());
    return result;
}

Images layers_over(const Images& base)
{
    Images result;
    for (auto& image : base)
        result.push_back(std::make_unique<Image>(image->bytes(), image.get()));
    return result;
}

Images empty_images(const PoolShape& shape)
{
    Images result;
    for (u32 i = 0; i < shape.disks; i++)
        result.push_back(std::make_unique<Image>(shape.disk_bytes));
    for (u32 i = 0; shape.log_disk_bytes && i < shape.log_disks; i++)
        result.push_back(std::make_unique<Image>(shape.log_disk_bytes));
    return result;
}

void make_dataset(Run& run, const std::string& name, const std::string& partition)
{
    core_new_dataset how { name.c_str(), partition.c_str(), 0755, 0, 0, { 1, 0 } };
    if (int error = core_dataset_create(run.pool(), &how))
        fail("creating dataset %s gave %d", name.c_str(), error);
}

std::string worker_dataset(Random& choice, u64 number)
{
    return choice.one_in(2) ? "" : "d" + std::to_string(number % 3);
}

core_object* get_object(Run& run, u64 id, const std::string& dataset)
{
    core_object* object = nullptr;
    if (int error = core_object_get(run.dataset(dataset), id, 0, &object))
        fail("object %llu gave error %d", static_cast<unsigned long long>(id), error);
    return object;
}

u64 make_directory(Run& run, const std::string& name, const std::string& dataset)
{
    core_object* root = get_object(run, CORE_ROOT_OBJECT, dataset);
    core_new how {};
    how.mode = 0040755;
    core_object* made = nullptr;
    if (int error = core_create(root, name.data(), static_cast<u32>(name.size()), &how, &made))
        fail("creating %s gave %d", name.c_str(), error);
    core_attr attr;
    core_object_attr(made, &attr);
    core_object_put(made);
    core_object_put(root);
    return attr.id;
}

Worker& add_worker(Run& run, WorkerOptions options, u64 seed)
{
    WalkOptions walking { false, options.shared_directory, "w" + std::to_string(options.number) + "_" };
    run.workers.push_back(
        std::make_unique<Worker>(run, run.dataset(options.dataset), options,
                                 walk(run.dataset(options.dataset), options.root, walking), seed));
    run.workers.back()->acknowledge(0, 0);
    return *run.workers.back();
}

}
