// Whether this is compiled with a sanitizer, which is slow, allocates and makes system calls of its own: GCC defines a macro, Clang
// has a feature.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define TAPEGRAD_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TAPEGRAD_ADDRESS_SANITIZER 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define TAPEGRAD_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TAPEGRAD_THREAD_SANITIZER 1
#endif
#endif
