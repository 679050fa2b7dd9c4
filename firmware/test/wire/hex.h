/// Bytes from and to hex text, for tests.
#ifndef SPIKEDAQ_TEST_WIRE_HEX_H_
#define SPIKEDAQ_TEST_WIRE_HEX_H_

#include <cstdint>
#include <string>
#include <vector>

namespace testing {

inline std::vector<uint8_t> FromHex(const std::string& hex) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

inline std::string ToHex(const uint8_t* bytes, size_t n) {
  const char digits[] = "0123456789abcdef";
  std::string hex;
  for (size_t i = 0; i < n; ++i) {
    hex += digits[bytes[i] >> 4];
    hex += digits[bytes[i] & 15];
  }
  return hex;
}

inline std::string ToHex(const std::vector<uint8_t>& bytes) { return ToHex(bytes.data(), bytes.size()); }

}  // namespace testing

#endif  // SPIKEDAQ_TEST_WIRE_HEX_H_
