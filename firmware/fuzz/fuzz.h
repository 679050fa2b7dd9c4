/// What the fuzzers share.
#ifndef SPIKEDAQ_FUZZ_FUZZ_H_
#define SPIKEDAQ_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace fuzz {

inline void Require(bool condition) {
  if (!condition) abort();
}

/// Adds to the number of bytes that is said at the end.
inline void CountBytes(size_t n) {
  static unsigned long long total = 0;
  static const int registered = atexit([] { fprintf(stderr, "bytes of input: %llu\n", total); });
  static_cast<void>(registered);
  total += n;
}

}  // namespace fuzz

#endif  // SPIKEDAQ_FUZZ_FUZZ_H_
