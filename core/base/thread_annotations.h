// SPDX-License-Identifier: GPL-2.0-only
// Clang thread-safety attributes; nothing for other compilers.
#pragma once

#if defined(__clang__)
#define LCPFS_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define LCPFS_THREAD_ANNOTATION(x)
#endif

#define CAPABILITY(x) LCPFS_THREAD_ANNOTATION(capability(x))
#define SCOPED_CAPABILITY LCPFS_THREAD_ANNOTATION(scoped_lockable)
#define GUARDED_BY(x) LCPFS_THREAD_ANNOTATION(guarded_by(x))
#define PT_GUARDED_BY(x) LCPFS_THREAD_ANNOTATION(pt_guarded_by(x))
#define REQUIRES(...) LCPFS_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...) LCPFS_THREAD_ANNOTATION(requires_shared_capability(__VA_ARGS__))
#define ACQUIRE(...) LCPFS_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) LCPFS_THREAD_ANNOTATION(acquire_shared_capability(__VA_ARGS__))
#define RELEASE(...) LCPFS_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define RELEASE_SHARED(...) LCPFS_THREAD_ANNOTATION(release_shared_capability(__VA_ARGS__))
#define RELEASE_GENERIC(...) LCPFS_THREAD_ANNOTATION(release_generic_capability(__VA_ARGS__))
#define TRY_ACQUIRE_SHARED(...) LCPFS_THREAD_ANNOTATION(try_acquire_shared_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) LCPFS_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define EXCLUDES(...) LCPFS_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS LCPFS_THREAD_ANNOTATION(no_thread_safety_analysis)
