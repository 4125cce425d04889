// SPDX-License-Identifier: GPL-2.0-only
// TextLine: builds one line of text of bounded length, for messages. Too long is cut, never overrun.
#pragma once

#include "core/base/span.h"

namespace lcpfs {

template <size_t Capacity>
class TextBuffer {
public:
    TextBuffer& add(const char* text) { return add(StringView(text)); }
    TextBuffer& add(StringView text)
    {
        for (size_t i = 0; i < text.size(); i++)
            put(text.data()[i]);
        return *this;
    }
    TextBuffer& add(u64 number)
    {
        char digits[20];
        int length = 0;
        do {
            digits[length++] = static_cast<char>('0' + number % 10);
            number /= 10;
        } while (number);
        while (length)
            put(digits[--length]);
        return *this;
    }
    TextBuffer& add_hex(Bytes bytes)
    {
        for (u8 byte : bytes) {
            put("0123456789abcdef"[byte >> 4]);
            put("0123456789abcdef"[byte & 15]);
        }
        return *this;
    }
    // Bytes of a name: what is not printable ASCII as \xNN.
    TextBuffer& add_name(Bytes name)
    {
        for (u8 byte : name) {
            if (byte >= 0x20 && byte < 0x7f && byte != '\\') {
                put(static_cast<char>(byte));
            } else {
                add("\\x");
                add_hex({ &byte, 1 });
            }
        }
        return *this;
    }
    const char* text() const { return m_text; }
    size_t size() const { return m_size; }

private:
    void put(char c)
    {
        if (m_size + 1 < Capacity) {
            m_text[m_size++] = c;
            m_text[m_size] = 0;
        }
    }
    char m_text[Capacity] {};
    size_t m_size { 0 };
};

using TextLine = TextBuffer<320>;

}
