#include "sampling/block_encoder.h"

#include "wire/packed.h"

namespace spikedaq {
namespace sampling {

void BlockEncoder::Begin() {
  stage_ = Stage::kMeasuring;
  packed_bytes_ = 0;
  StartChannels();
}

void BlockEncoder::StartChannels() {
  channel_ = 0;
  values_ = sampler_->oldest_channel(0);
}

void BlockEncoder::Measure() {
  const uint16_t n = sampler_->oldest().n;
  const bool can_pack = (codecs_ & (1u << wire::kCodecPacked)) != 0 && sampler_->n_channels() <= kMaxPackedChannels;
  if (can_pack) {
    widths_[channel_] = wire::PackedWidth(values_, n);
    values_ += sampler_->capacity();
    packed_bytes_ += wire::PackedBytes(n, widths_[channel_]);
    if (++channel_ < sampler_->n_channels()) return;
  }
  const bool can_send_raw = !can_pack || (codecs_ & (1u << wire::kCodecRaw)) != 0;
  codec_ = can_send_raw && (!can_pack || raw_bytes() <= packed_bytes_) ? wire::kCodecRaw : wire::kCodecPacked;
  stage_ = Stage::kMeasured;
}

void BlockEncoder::BeginWriting(const wire::Writer& writer, uint32_t seq) {
  const BlockHead& head = sampler_->oldest();
  writer_ = writer;
  writer_.Array(10);
  writer_.Unsigned8(static_cast<uint8_t>(wire::MessageType::kBlock));
  writer_.Unsigned32(seq);
  writer_.Unsigned8(0);  // stream
  writer_.Unsigned(head.first_step);
  writer_.Unsigned32(head.first_tick);
  writer_.Unsigned32(head.step_us);
  writer_.Unsigned32(head.n);
  writer_.Unsigned8(codec_);
  writer_.BinaryHead(payload_bytes());
  StartChannels();
  stage_ = Stage::kWriting;
}

void BlockEncoder::Write() {
  const BlockHead& head = sampler_->oldest();
  const int16_t* values = values_;
  values_ += sampler_->capacity();
  if (codec_ == wire::kCodecPacked) {
    const uint8_t width = widths_[channel_];
    uint8_t* to = writer_.Claim(wire::PackedBytes(head.n, width));
    if (to != nullptr) wire::PackChannel(values, head.n, width, to);
  } else {
    uint8_t* to = writer_.Claim(size_t{2} * head.n);
    for (uint16_t k = 0; to != nullptr && k < head.n; ++k) {
      *to++ = static_cast<uint8_t>(values[k]);
      *to++ = static_cast<uint8_t>(values[k] >> 8);
    }
  }
  if (++channel_ < sampler_->n_channels()) return;
  writer_.Unsigned8(head.flags);
  stage_ = Stage::kWritten;
}

uint8_t EncodeOldest(const Sampler& sampler, uint32_t seq, wire::Writer& writer, uint8_t codecs) {
  BlockEncoder encoder(&sampler, codecs);
  encoder.Begin();
  while (encoder.stage() == BlockEncoder::Stage::kMeasuring) encoder.Measure();
  encoder.BeginWriting(writer, seq);
  while (encoder.stage() == BlockEncoder::Stage::kWriting) encoder.Write();
  writer = encoder.writer();
  return encoder.codec();
}

}  // namespace sampling
}  // namespace spikedaq
