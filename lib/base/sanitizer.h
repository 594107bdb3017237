/* sanitizer.h - PE__BASE_ASAN: 1 in a build with the address sanitizer, which gcc and clang tell in different ways. */
#ifndef PE__BASE_SANITIZER_H
#define PE__BASE_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__)
#define PE__BASE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PE__BASE_ASAN 1
#endif
#endif

#ifndef PE__BASE_ASAN
#define PE__BASE_ASAN 0
#endif

#endif
