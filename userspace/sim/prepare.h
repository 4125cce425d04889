// SPDX-License-Identifier: GPL-2.0-only
// What several kinds of runs begin with: images, an empty pool on them, directories for the workers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "userspace/sim/run.h"

namespace lcpfs::sim {

using Images = std::vector<std::unique_ptr<Image>>;

std::vector<Image*> pointers(const Images& images);
// Fresh ones that read through to `base` and leave it alone.
Images layers_over(const Images& base);
Images empty_images(const PoolShape& shape);

void make_dataset(Run& run, const std::string& name, const std::string& partition = "");
// Where worker `number` of a run with several datasets ("d0" to "d2") works.
std::string worker_dataset(Random& choice, u64 number);
core_object* get_object(Run& run, u64 id, const std::string& dataset = {});
// In the root of a dataset of an open pool; gives its id.
u64 make_directory(Run& run, const std::string& name, const std::string& dataset = {});
// Adds a worker whose model starts from what the core holds.
Worker& add_worker(Run& run, WorkerOptions options, u64 seed);

}
