// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/host/common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/host/common/thread_context.h"

namespace lcpfs {

namespace {
host_log_level s_level = HOST_LOG_INFO;
void (*s_sink)(void*, host_log_level, const char*);
void* s_sink_context;
}

void host_log_set_level(host_log_level least_important) { s_level = least_important; }

void host_log_set_sink(void (*sink)(void*, host_log_level, const char*), void* context)
{
    s_sink = sink;
    s_sink_context = context;
}

}

void host_log(enum host_log_level level, const char* text)
{
    using namespace lcpfs;
    if (s_sink) {
        s_sink(s_sink_context, level, text);
        return;
    }
    if (level > s_level)
        return;
    static const char* const prefixes[] = { "error: ", "error: ", "warning: ", "", "debug: " };
    // The name of a pool stands before the kind of message.
    const char* rest = *text == '(' ? strstr(text, "): ") : nullptr;
    if (rest)
        fprintf(stderr, "lcpfs %.*s: %s%s\n", static_cast<int>(rest + 1 - text), text, prefixes[level], rest + 3);
    else
        fprintf(stderr, "lcpfs: %s%s\n", prefixes[level], text);
}

void host_panic(const char* text)
{
    fprintf(stderr, "lcpfs: panic: %s\n", text);
    abort();
}
