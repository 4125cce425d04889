// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/guest/kit.h"

using namespace lcpfs::guest;

namespace {

struct Verb {
    const char* name;
    int (*run)(const Arguments& arguments);
    const char* usage;
};

constexpr Verb k_verbs[] = {
    { "nodes", nodes_verb, "DEVICE..." },
    { "flip", flip_verb, "PATH BLOCK BYTE BIT" },
    { "feature", feature_verb, "compat|ro-compat|incompat BIT DEVICE..." },
    { "mutate", mutate_verb, "SEED PRISTINE DEVICE" },
    { "map", map_verb, "PATH BYTES" },
    { "hog", hog_verb, "MIB" },
};

}

int main(int argc, char** argv)
{
    const std::string name = argc > 1 ? argv[1] : "";
    for (const Verb& verb : k_verbs) {
        if (name != verb.name)
            continue;
        const int exit = verb.run(Arguments(argv + 2, argv + argc));
        if (exit == k_usage_error)
            fprintf(stderr, "usage: guestkit %s %s\n", verb.name, verb.usage);
        return exit;
    }
    fprintf(stderr, "usage: guestkit VERB ...\n");
    for (const Verb& verb : k_verbs)
        fprintf(stderr, "  %s %s\n", verb.name, verb.usage);
    return k_usage_error;
}
