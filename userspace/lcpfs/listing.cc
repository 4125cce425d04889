// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/lcpfs/listing.h"

#include <getopt.h>
#include <stdio.h>

#include "userspace/common/message.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

constexpr option k_options[] = {
    { "pool", required_argument, nullptr, 'P' },
    { "no-header", no_argument, nullptr, 'H' },
    { "exact", no_argument, nullptr, 'p' },
    { "json", no_argument, nullptr, 'j' },
    { "help", no_argument, nullptr, 'h' },
    {},
};

}

std::string Listing::size(uint64_t bytes) const { return header && !exact ? human_bytes(bytes) : std::to_string(bytes); }

bool parse_listing(int argc, char** argv, const char* usage, Listing& listing, int& code)
{
    code = k_success;
    for (int option; (option = getopt_long(argc, argv, "Hph", k_options, nullptr)) != -1;) {
        switch (option) {
        case 'P':
            listing.pool = optarg;
            break;
        case 'H':
            listing.header = false;
            break;
        case 'p':
            listing.exact = true;
            break;
        case 'j':
            listing.json = true;
            break;
        case 'h':
            fmt::print("{}", usage);
            return false;
        default:
            fmt::print(stderr, "{}", usage);
            code = k_usage_error;
            return false;
        }
    }
    return true;
}

void Table::header() const
{
    if (!m_listing.is_for_people())
        return;
    std::vector<std::string> titles;
    for (const Column& column : m_columns)
        titles.emplace_back(column.title);
    row(titles);
}

void Table::row(const std::vector<std::string>& cells) const
{
    if (m_listing.json)
        return;
    std::string line;
    for (size_t i = 0; i < m_columns.size(); i++) {
        const int width = m_columns[i].width;
        line += i == 0 ? "" : m_listing.header ? " " : "\t";
        if (!m_listing.header || width == 0)
            line += cells[i];
        else
            line += width < 0 ? fmt::format("{:{}}", cells[i], -width) : fmt::format("{:>{}}", cells[i], width);
    }
    fmt::print("{}\n", line);
}

}
