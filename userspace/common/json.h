// SPDX-License-Identifier: GPL-2.0-only
// Json: writes one document. Commas and quoting are its matter, nesting the caller's.
#pragma once

#include <stdint.h>

#include <string>

namespace lcpfs::tool {

class Json {
public:
    void begin_object(const char* key = nullptr) { open(key, '{'); }
    void end_object() { close('}'); }
    void begin_array(const char* key = nullptr) { open(key, '['); }
    void end_array() { close(']'); }
    void put(const char* key, const std::string& text);
    void put(const char* key, const char* text) { put(key, std::string(text)); }
    void put(const char* key, uint64_t number);
    void put(const char* key, uint32_t number) { put(key, static_cast<uint64_t>(number)); }
    void put(const char* key, bool value);
    void put_thousandths(const char* key, uint64_t thousandths); // as 12.345
    void put_thousandths(const char* key, int64_t thousandths);
    // The document to stdout, with a newline.
    void print() const;

private:
    void open(const char* key, char bracket);
    void close(char bracket);
    void start(const char* key);

    std::string m_text;
    bool m_first { true };
    int m_depth { 0 };
};

}
