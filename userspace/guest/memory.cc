// SPDX-License-Identifier: GPL-2.0-only
// Memory: mapped files on a full pool, and a process that wants more than there is.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "userspace/guest/kit.h"

namespace lcpfs::guest {

namespace {

constexpr size_t k_page = 4096;
sigjmp_buf s_fault;

void caught(int) { siglongjmp(s_fault, 1); }

int complain(const std::string& what)
{
    perror(("guestkit: " + what).c_str());
    return k_failed;
}

// Pages written before the first fault.
size_t write_pages(volatile char* memory, size_t pages)
{
    static size_t s_page; // outlives the jump out of the loop
    s_page = 0;
    if (sigsetjmp(s_fault, 1) == 0)
        for (; s_page < pages; s_page++)
            memory[s_page * k_page] = static_cast<char>(s_page % 251 + 1);
    return s_page;
}

}

int map_verb(const Arguments& arguments)
{
    unsigned long long bytes = 0;
    if (arguments.size() != 2 || !parse_number(arguments[1], bytes) || bytes == 0 || bytes % k_page)
        return k_usage_error;
    const std::string& path = arguments[0];
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0 || ftruncate(file, static_cast<off_t>(bytes)) != 0)
        return complain(path);
    char* const memory = static_cast<char*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    if (memory == MAP_FAILED)
        return complain(path);
    struct sigaction action {};
    action.sa_handler = caught;
    sigaction(SIGBUS, &action, nullptr);
    const size_t pages = bytes / k_page;
    const size_t written = write_pages(memory, pages);
    // What went in without a fault has to stay: the space for it was promised.
    if (msync(memory, bytes, MS_SYNC) != 0 || fsync(file) != 0)
        return complain(path + ": msync after the fault");
    for (size_t page = 0; page < written; page++) {
        char byte = 0;
        if (pread(file, &byte, 1, static_cast<off_t>(page * k_page)) != 1 || byte != static_cast<char>(page % 251 + 1)) {
            fprintf(stderr, "guestkit: %s: page %zu is not what was written\n", path.c_str(), page);
            return k_failed;
        }
    }
    munmap(memory, bytes);
    close(file);
    printf("%zu of %zu pages, %s\n", written, pages, written < pages ? "then SIGBUS" : "no fault");
    return k_done;
}

int hog_verb(const Arguments& arguments)
{
    unsigned long long mib = 0;
    if (arguments.size() != 1 || !parse_number(arguments[0], mib) || mib == 0)
        return k_usage_error;
    const size_t bytes = static_cast<size_t>(mib) << 20;
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return complain("hog");
    memset(memory, 1, bytes);
    munmap(memory, bytes);
    return k_done;
}

}
