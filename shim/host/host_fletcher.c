// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_fletcher.c: Fletcher-4 two words at a time, where x86 has SSE4.1: half the instructions of a word by word sum.
 *
 * Even and odd words have four sums each, in the two halves of a register. With q words from one of a lane to the end of its lane, what
 * it counts in the whole follows from how far it is from the end of everything, 2q for the even ones and 2q - 1 for the odd ones:
 * 1, r, r(r+1)/2 and r(r+1)(r+2)/6 times, written by those of q.
 *
 * Saving the caller's vector registers and bringing them back costs as much as some hundred words.
 */
#include <linux/types.h>
#ifdef CONFIG_X86_64
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#endif

#include "core/host/host.h"

#ifdef CONFIG_X86_64

#define FLETCHER_TURN 16 /* words */
#define FLETCHER_LEAST 256

#define FLETCHER_STEP(offset) \
	"pmovzxdq " #offset "(%0), %%xmm4\n\t" \
	"paddq %%xmm4, %%xmm0\n\t" \
	"paddq %%xmm0, %%xmm1\n\t" \
	"paddq %%xmm1, %%xmm2\n\t" \
	"paddq %%xmm2, %%xmm3\n\t"

/* The compiler, which is told to use no vector registers, keeps nothing in them and leaves them alone. kernel_fpu_begin. */
static void fletcher_lanes(u64 lanes[4][2], const u8 *at, size_t words)
{
	asm volatile("pxor %xmm0, %xmm0\n\tpxor %xmm1, %xmm1\n\tpxor %xmm2, %xmm2\n\tpxor %xmm3, %xmm3");
	for (; words; words -= FLETCHER_TURN, at += 4 * FLETCHER_TURN)
		asm volatile(FLETCHER_STEP(0) FLETCHER_STEP(8) FLETCHER_STEP(16) FLETCHER_STEP(24)
			     FLETCHER_STEP(32) FLETCHER_STEP(40) FLETCHER_STEP(48) FLETCHER_STEP(56)
			     :
			     : "r"(at), "m"(*(const u8 (*)[4 * FLETCHER_TURN])at));
	asm volatile("movdqu %%xmm0, %0\n\tmovdqu %%xmm1, %1\n\tmovdqu %%xmm2, %2\n\tmovdqu %%xmm3, %3"
		     : "=m"(*(u64 (*)[2])lanes[0]), "=m"(*(u64 (*)[2])lanes[1]), "=m"(*(u64 (*)[2])lanes[2]), "=m"(*(u64 (*)[2])lanes[3]));
}

size_t host_fletcher4(uint64_t sums[4], const void *data, size_t words)
{
	const u64 n = round_down(words, FLETCHER_TURN);
	const u64 pairs = n * (n + 1) / 2;
	u64 lanes[4][2], a, b, c, d;

	if (words < FLETCHER_LEAST || words > U16_MAX || !boot_cpu_has(X86_FEATURE_XMM4_1) || !irq_fpu_usable())
		return 0;
	kernel_fpu_begin();
	fletcher_lanes(lanes, data, n);
	kernel_fpu_end();

	a = lanes[0][0] + lanes[0][1];
	b = 2 * (lanes[1][0] + lanes[1][1]) - lanes[0][1];
	c = 4 * (lanes[2][0] + lanes[2][1]) - lanes[1][0] - 3 * lanes[1][1];
	d = 8 * (lanes[3][0] + lanes[3][1]) - 4 * lanes[2][0] - 8 * lanes[2][1] + lanes[1][1];

	/* What was there counts n times over in the next sum, and so on. */
	sums[3] += n * sums[2] + pairs * sums[1] + pairs * (n + 2) / 3 * sums[0] + d;
	sums[2] += n * sums[1] + pairs * sums[0] + c;
	sums[1] += n * sums[0] + b;
	sums[0] += a;
	return n;
}

#else

size_t host_fletcher4(uint64_t sums[4], const void *data, size_t words)
{
	return 0;
}

#endif
