// The functions that a freestanding compiler asks for by name. With them the image needs no C library.
#include <stddef.h>
#include <stdint.h>

extern "C" {

void* memcpy(void* to, const void* from, size_t n) {
  uint8_t* t = static_cast<uint8_t*>(to);
  const uint8_t* f = static_cast<const uint8_t*>(from);
  while (n-- > 0) *t++ = *f++;
  return to;
}

void* memmove(void* to, const void* from, size_t n) {
  uint8_t* t = static_cast<uint8_t*>(to);
  const uint8_t* f = static_cast<const uint8_t*>(from);
  if (reinterpret_cast<uintptr_t>(t) <= reinterpret_cast<uintptr_t>(f)) return memcpy(to, from, n);
  while (n-- > 0) t[n] = f[n];
  return to;
}

void* memset(void* to, int value, size_t n) {
  uint8_t* t = static_cast<uint8_t*>(to);
  while (n-- > 0) *t++ = static_cast<uint8_t>(value);
  return to;
}

int memcmp(const void* a, const void* b, size_t n) {
  const uint8_t* x = static_cast<const uint8_t*>(a);
  const uint8_t* y = static_cast<const uint8_t*>(b);
  for (; n-- > 0; ++x, ++y) {
    if (*x != *y) return *x < *y ? -1 : 1;
  }
  return 0;
}

size_t strlen(const char* text) {
  size_t n = 0;
  while (text[n] != '\0') ++n;
  return n;
}

// Of destructors of statics, which are never run: main does not return.
int __aeabi_atexit(void*, void (*)(void*), void*) { return 0; }
void* __dso_handle = nullptr;
[[noreturn]] void __cxa_pure_virtual() {
  for (;;) {
  }
}

}  // extern "C"
