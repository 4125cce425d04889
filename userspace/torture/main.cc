// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/torture/torture.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

namespace torture {

void fail(const char* format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("torture: ", stdout);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
    _Exit(1);
}

void must(bool good, const char* what)
{
    if (!good)
        fail("%s: %s", what, strerror(errno));
}

}

int main(int count, char** words)
{
    static const struct {
        const char* name;
        int (*run)(int, char**);
    } verbs[] = { { "model", torture::model },
                  { "race", torture::race },
                  { "differ", torture::differ },
                  { "same", torture::same_trees },
                  { "fsx", torture::fsx },
                  { "queued", torture::queued },
                  { "handle", torture::save_handle },
                  { "by-handle", torture::open_handle },
                  { "idmap", torture::idmap },
                  { "make-as", torture::make_as },
                  { "faults", torture::faults },
                  { "words", torture::check_words },
                  { "errors", torture::sync_status },
                  { "tails", torture::tails },
                  { "times", torture::times },
                  { "reconfigure", torture::reconfigure },
                  { "acknowledged", torture::acknowledged },
                  { "sync-load", torture::sync_load },
                  { "sync-cost", torture::sync_cost } };
    for (const auto& verb : verbs)
        if (count > 1 && !strcmp(words[1], verb.name))
            return verb.run(count - 2, words + 2);
    fputs("torture: verbs:", stdout);
    for (const auto& verb : verbs)
        printf(" %s", verb.name);
    putchar('\n');
    return 2;
}
