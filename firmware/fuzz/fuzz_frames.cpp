// Any bytes through the frame decoder: the same messages whatever the pieces, each a frame that encodes to itself
// again.
#include <cstring>
#include <vector>

#include "fuzz.h"
#include "wire/frame.h"
#include "wire/messages.h"

using fuzz::Require;
using namespace spikedaq::wire;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::CountBytes(size);
  constexpr size_t kMost = 300;
  std::vector<uint8_t> memory(CobsBound(kMost));
  FrameDecoder decoder(memory.data(), kMost);
  uint32_t frames = 0, bad = 0;
  for (size_t k = 0; k < size; ++k) {
    const FrameDecoder::Result result = decoder.Take(data[k]);
    if (result == FrameDecoder::Result::kBad) ++bad;
    if (result != FrameDecoder::Result::kMessage) continue;
    ++frames;
    const Bytes message = decoder.message();
    Require(message.size > 0 && message.size <= kMost - kCrcBytes);
    // What was good is good when it is sent on.
    std::vector<uint8_t> copy(message.data, message.data + message.size), frame(FrameBound(message.size));
    copy.resize(message.size + kCrcBytes);
    frame.resize(EncodeFrame(copy.data(), message.size, frame.data()));
    std::vector<uint8_t> again_memory(CobsBound(kMost));
    FrameDecoder again(again_memory.data(), kMost);
    for (size_t i = 0; i + 1 < frame.size(); ++i) Require(again.Take(frame[i]) == FrameDecoder::Result::kNothing);
    Require(again.Take(0) == FrameDecoder::Result::kMessage);
    Require(again.message().size == message.size);
    Require(memcmp(again.message().data, copy.data(), message.size) == 0);
    // Any item can be walked through, or is malformed; none reads beyond its end.
    Reader reader(copy.data(), message.size);
    Raw item;
    while (reader.left() > 0 && reader.Item(&item) == spikedaq::Status::kOk) Require(item.size > 0);
  }
  Require(decoder.frames() == frames);
  Require(decoder.bad_total() == bad);
  return 0;
}
