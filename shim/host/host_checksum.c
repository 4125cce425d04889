// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_checksum.c: checksums by the kernel's own libraries, which know the processor's instructions for
 * them. None sleeps. libcrc32c is a module: modprobe loads it by its symbol.
 *
 * CRC-32C, of every block and every log write, goes past the library where x86 has the instruction: three stretches at once, since each
 * instruction waits three cycles for the one before but one can begin in every cycle, put together by tables. That is as fast
 * as the library's way by PCLMULQDQ, and does not have to save the caller's vector registers for it.
 */
#include <linux/cache.h>
#include <linux/crc32c.h>
#include <linux/init.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/xxhash.h>
#include <crypto/sha2.h>
#ifdef CONFIG_X86_64
#include <asm/cpufeature.h>
#endif

#include "core/host/host.h"
#include "shim/host/host_module.h"

#ifdef CONFIG_X86_64

/* A block is three stretches and 16 bytes. */
#define CRC_STRETCH 1360
/* What one turn of the loop takes of each: what is beside the sums themselves should be little. */
#define CRC_TURN 272

/* What so many zero bytes behind it make of a sum, by each of its four bytes: the sum is linear. */
static u32 crc_shift[4][256] __ro_after_init;
static bool crc_by_instruction __ro_after_init;

static inline u64 crc_step(u64 crc, const u8 *at)
{
	asm("crc32q %1, %0" : "+r"(crc) : "m"(*(const u64 *)at));
	return crc;
}

static u32 crc_plain(u32 from, const u8 *at, size_t bytes)
{
	u64 crc = from;

	for (; bytes >= 32; bytes -= 32, at += 32) {
		crc = crc_step(crc, at);
		crc = crc_step(crc, at + 8);
		crc = crc_step(crc, at + 16);
		crc = crc_step(crc, at + 24);
	}
	for (; bytes >= 8; bytes -= 8, at += 8)
		crc = crc_step(crc, at);
	for (; bytes; bytes--, at++)
		asm("crc32b %1, %0" : "+r"(crc) : "m"(*at));
	return crc;
}

static u32 crc_moved(u32 crc)
{
	return crc_shift[0][crc & 0xff] ^ crc_shift[1][crc >> 8 & 0xff] ^ crc_shift[2][crc >> 16 & 0xff] ^ crc_shift[3][crc >> 24];
}

static u32 crc_by_stretches(u32 from, const u8 *at, size_t bytes)
{
	while (bytes >= 3 * CRC_STRETCH) {
		u64 first = from, second = 0, third = 0;
		const u8 *end = at + CRC_STRETCH;

		while (at < end) {
			unsigned int word;

#pragma GCC unroll 34
			for (word = 0; word < CRC_TURN; word += 8) {
				first = crc_step(first, at + word);
				second = crc_step(second, at + CRC_STRETCH + word);
				third = crc_step(third, at + 2 * CRC_STRETCH + word);
			}
			at += CRC_TURN;
		}
		from = crc_moved(crc_moved(first) ^ second) ^ third;
		at += 2 * CRC_STRETCH;
		bytes -= 3 * CRC_STRETCH;
	}
	return crc_plain(from, at, bytes);
}

static_assert(CRC_STRETCH % CRC_TURN == 0 && CRC_TURN % 8 == 0);

void __init host_checksum_start(void)
{
	static const u8 zeros[CRC_STRETCH] __initconst;
	unsigned int byte, value;

	if (!boot_cpu_has(X86_FEATURE_XMM4_2))
		return;
	for (byte = 0; byte < 4; byte++)
		for (value = 0; value < 256; value++)
			crc_shift[byte][value] = crc_plain(value << 8 * byte, zeros, CRC_STRETCH);
	crc_by_instruction = true;
}

#else

static const bool crc_by_instruction;

static u32 crc_by_stretches(u32 from, const u8 *at, size_t bytes)
{
	return crc32c(from, at, bytes);
}

void __init host_checksum_start(void)
{
}

#endif

uint32_t host_crc32c(const void *data, size_t bytes)
{
	u32 crc = ~0u;

	if (crc_by_instruction)
		return ~crc_by_stretches(crc, data, bytes);
	/* The library counts in 32 bits. */
	while (bytes) {
		unsigned int part = min_t(size_t, bytes, SZ_1G);

		crc = crc32c(crc, data, part);
		data += part;
		bytes -= part;
	}
	return ~crc;
}

uint64_t host_xxh64(const void *data, size_t bytes, uint64_t seed)
{
	return xxh64(data, bytes, seed);
}

void host_sha256(const void *data, size_t bytes, uint8_t digest[32])
{
	struct sha256_state state;

	sha256_init(&state);
	while (bytes) {
		unsigned int part = min_t(size_t, bytes, SZ_1G);

		sha256_update(&state, data, part);
		data += part;
		bytes -= part;
	}
	sha256_final(&state, digest);
}
