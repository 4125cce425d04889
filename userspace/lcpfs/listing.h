// SPDX-License-Identifier: GPL-2.0-only
// What verbs that list have in common: their options, and a table for people or for scripts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lcpfs::tool {

struct Listing {
    bool header { true };  // -H: no, and tabs instead of columns
    bool exact { false };  // -p
    bool json { false };   // --json
    std::string pool;      // --pool

    bool is_for_people() const { return header && !json; }
    // For people in units, unless they want the number.
    std::string size(uint64_t bytes) const;
};

// The options of a verb; afterwards optind is at its arguments. False: `code` is the exit code, and all is said.
bool parse_listing(int argc, char** argv, const char* usage, Listing& listing, int& code);

class Table {
public:
    struct Column {
        const char* title;
        int width; // below 0: to the left; 0: the last one
    };
    Table(std::vector<Column> columns, const Listing& listing) : m_columns(std::move(columns)), m_listing(listing) {}
    // Nothing for scripts and JSON.
    void header() const;
    // Nothing for JSON.
    void row(const std::vector<std::string>& cells) const;

private:
    std::vector<Column> m_columns;
    const Listing& m_listing;
};

}
