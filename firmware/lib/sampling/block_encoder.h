/// Makes block messages of the sampler's blocks, in whichever codec is shorter, whole or in slices of one channel.
#ifndef SPIKEDAQ_SAMPLING_BLOCK_ENCODER_H_
#define SPIKEDAQ_SAMPLING_BLOCK_ENCODER_H_

#include <stddef.h>
#include <stdint.h>

#include "sampling/sampler.h"
#include "wire/messages.h"

namespace spikedaq {
namespace sampling {

/// Turns the sampler's oldest block into a message, slice by slice, so that a slow processor can look after its link in
/// between: on an ATmega328P a dense block of 20 samples takes longer than a step, one channel of it does not.
///
/// First it measures, which needs neither memory nor room on the link; then it writes. From `Begin` to the end of the
/// writing the block must stay the sampler's oldest.
class BlockEncoder {
 public:
  /// Blocks of more channels are always sent raw: the widths of all must be known before the first can be written.
  static constexpr uint8_t kMaxPackedChannels = 8;

  /// @param[in] codecs  Those that may be used, a bit mask as in hello; at least one.
  explicit constexpr BlockEncoder(const Sampler* sampler, uint8_t codecs = wire::kCodecs)
      : sampler_(sampler), codecs_(codecs) {}

  enum class Stage : uint8_t { kIdle, kMeasuring, kMeasured, kWriting, kWritten };
  Stage stage() const { return stage_; }
  /// Takes the sampler's oldest block, of which there must be one.
  void Begin();
  /// Forgets the block that was begun.
  void Cancel() { stage_ = Stage::kIdle; }

  /// One slice of measuring: one channel. In stage kMeasured `codec()` and `message_bytes()` are known.
  void Measure();
  uint8_t codec() const { return codec_; }
  /// Bytes of the whole message, at most.
  size_t message_bytes() const { return payload_bytes() + kBlockOverhead; }
  /// Starts to write. `writer`'s memory must stay untouched until stage kWritten.
  void BeginWriting(const wire::Writer& writer, uint32_t seq);
  /// One slice of writing: one channel. In stage kWritten `writer()` holds the message.
  void Write();
  const wire::Writer& writer() const { return writer_; }

  uint8_t codecs() const { return codecs_; }

 private:
  size_t raw_bytes() const { return size_t{2} * sampler_->oldest().n * sampler_->n_channels(); }
  size_t payload_bytes() const { return codec_ == wire::kCodecPacked ? packed_bytes_ : raw_bytes(); }

  void StartChannels();

  const Sampler* sampler_;
  uint8_t codecs_;
  Stage stage_ = Stage::kIdle;
  uint8_t channel_ = 0;              // the next to be measured or written,
  const int16_t* values_ = nullptr;  // and its values
  uint8_t codec_ = wire::kCodecRaw;
  uint8_t widths_[kMaxPackedChannels] = {};
  size_t packed_bytes_ = 0;
  wire::Writer writer_{nullptr, 0};
};

/// The whole message at once: what a `BlockEncoder` makes in slices. @returns its codec.
uint8_t EncodeOldest(const Sampler& sampler, uint32_t seq, wire::Writer& writer, uint8_t codecs = wire::kCodecs);

}  // namespace sampling
}  // namespace spikedaq

#endif  // SPIKEDAQ_SAMPLING_BLOCK_ENCODER_H_
