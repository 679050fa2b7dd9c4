#include "native_board.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "build_info.h"
#include "neuron/jacks.h"

namespace spikedaq {
namespace native {
namespace {

uint64_t ReadNs(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
}

uint64_t SystemRandom() {
  uint64_t value = 0;
  if (getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) value = ReadNs(CLOCK_REALTIME);
  return value;
}

}  // namespace

uint64_t NowNs() { return ReadNs(CLOCK_MONOTONIC); }

NativeBoard::NativeBoard(const Options& options)
    : options_(options),
      link_(Link::Open(options)),
      truth_(options.truth_path),
      axon_(options.axon_paths),
      jacks_{SynapseJack(options.syn_paths[0]), SynapseJack(options.syn_paths[1])},
      inputs_({"virtual_loopback", "1", wire::ParameterType::kBoolean, 0, 1, options.loopback ? 1.0f : 0.0f, 0}),
      random_(options.has_seed ? options.seed : SystemRandom()),
      noise_seed_(options.has_seed ? options.seed : SystemRandom()),
      clock_(options.faults),
      clock_start_ns_(NowNs()) {
  for (const auto& knob : options_.knobs) knob_names_.push_back(knob.first + "_knob");
}

uint64_t NativeBoard::Random64() {
  const uint64_t high = random_.Next();
  return high << 32 | random_.Next();
}

board::Identity NativeBoard::Who() const {
  return {wire::TextOf(SPIKEDAQ_VERSION), wire::TextOf(SPIKEDAQ_BUILD_HASH), wire::TextOf("native"),
          wire::Bytes{options_.unique_id, sizeof options_.unique_id}, options_.protocol_major};
}

uint32_t NativeBoard::NextBoot() {
  boot_id_ = options_.has_boot_id ? options_.boot_id + boots_ : static_cast<uint32_t>(SystemRandom());
  ++boots_;
  // Up to 2^34 us: counters that have wrapped, or soon will, are the rule.
  tick_at_boot_ = options_.has_tick_start ? options_.tick_start : Random64() >> 30;
  truth_.Header(boot_id_, options_.unique_id, options_.step_us);
  AnchorTick(tick_at_boot_);
  return boot_id_;
}

void NativeBoard::AnchorTick(uint64_t tick) {
  virtual_tick_ = false;
  anchor_tick_ = tick;
  anchor_ns_ = ClockNs();
}

void NativeBoard::VirtualTick(uint64_t tick) {
  const uint64_t now = Tick();
  virtual_tick_ = true;
  anchor_tick_ = tick > now ? tick : now;
}

uint64_t NativeBoard::Tick() { return virtual_tick_ ? anchor_tick_ : anchor_tick_ + (ClockNs() - anchor_ns_) / 1000; }

size_t NativeBoard::Read(uint8_t* bytes, size_t n) {
  if (read_begin_ == read_end_) {
    read_begin_ = 0;
    read_end_ = link_->Read(read_, sizeof read_);
  }
  const size_t there = read_end_ - read_begin_;
  const size_t taken = n < there ? n : there;
  memcpy(bytes, read_ + read_begin_, taken);
  read_begin_ += taken;
  return taken;
}

void NativeBoard::ReceiveCables() {
  const uint64_t now = NowNs();
  for (SynapseJack& jack : jacks_) jack.Receive(now);
}

void NativeBoard::ReadInputs(Inputs<float>* inputs) {
  inputs->photodiode_drive = inputs_.light();
  inputs->current_in = inputs_.current_in();
  if (inputs_.is_on()) {
    // The converters of both jacks and the dead zone between them, as on a real board whose zero has been learnt.
    const float counts = static_cast<float>(StimulusCode(stimulus_percent_)) - static_cast<float>(kAdcCentre);
    inputs->current_in += CutDeadZone(counts) * 0.1f;
  }
  jacks_[0].Play(&inputs->syn1_vm_mv, &inputs->syn1_level);
  jacks_[1].Play(&inputs->syn2_vm_mv, &inputs->syn2_level);
  inputs_now_ = *inputs;
}

// The virtual converters have 12 bits and 3.3 V, as those of a v3 board; counts are what would have to stand at them.
bool NativeBoard::ReadProbe(uint8_t index, board::Probe* probe) {
  constexpr uint8_t kInputs = 6;
  const Inputs<float>& now = inputs_now_;
  const uint32_t step_us = neuron_ == nullptr ? options_.step_us : neuron_->step_us();
  const auto converter = [probe](const char* name, float counts, uint32_t period_us) {
    const int32_t raw = RoundHalfAway(Clamp(counts, 0.0f, static_cast<float>(kAdcMax)));
    *probe = {wire::TextOf(name), raw, static_cast<float>(raw) * 3.3f / kAdcMax, wire::TextOf("V"), period_us};
  };
  const auto pin = [probe, step_us](const char* name, bool level) {
    *probe = {wire::TextOf(name), level, level ? 1.0f : 0.0f, wire::TextOf("1"), step_us};
  };
  switch (index) {
    case 0:
      converter("photodiode", now.photodiode_drive * 40, step_us);
      return true;
    case 1: {
      const float beyond = now.current_in > 0 ? kDeadZone : (now.current_in < 0 ? -kDeadZone : 0);
      converter("current_in", kAdcCentre + beyond + now.current_in * 10, step_us);
      return true;
    }
    case 2:
      converter("syn1_vm", AxonCode(now.syn1_vm_mv), step_us);
      return true;
    case 3:
      converter("syn2_vm", AxonCode(now.syn2_vm_mv), step_us);
      return true;
    case 4:
      pin("syn1_pulse", now.syn1_level);
      return true;
    case 5:
      pin("syn2_pulse", now.syn2_level);
      return true;
    default:
      break;
  }
  const size_t knob = static_cast<size_t>(index - kInputs);
  if (knob >= options_.knobs.size()) return false;
  // Set on the command line and never turned, so read at boot only.
  converter(knob_names_[knob].c_str(), options_.knobs[knob].second, 0);
  return true;
}

void NativeBoard::SetOutputs(const board::Outputs& outputs) {
  truth_.Step(outputs);
  axon_.Step(outputs.step, outputs.raw[0], outputs.sample.axon_level);
}

uint16_t NativeBoard::CpuPermille() {
  const uint64_t now = NowNs();
  const uint64_t used = ReadNs(CLOCK_PROCESS_CPUTIME_ID);
  const uint64_t elapsed = now - cpu_at_ns_;
  const uint64_t share = cpu_at_ns_ == 0 || elapsed == 0 ? 0 : (used - cpu_used_ns_) * 1000 / elapsed;
  cpu_at_ns_ = now;
  cpu_used_ns_ = used;
  return static_cast<uint16_t>(share > 1000 ? 1000 : share);
}

void NativeBoard::Configure(command::ParameterTable* table, command::NeuronParameters* neuron) {
  neuron_ = neuron;
  for (const auto& knob : options_.knobs) {
    const int16_t index = table->Find(wire::TextOf(knob.first.c_str()));
    float value = 0;
    const bool counts_ok = knob.second >= 0 && knob.second <= static_cast<float>(kAdcMax);
    if (!counts_ok) Fail(2, "--knob " + knob.first + ": counts are 0 to 4095");
    if (index < 0 || !command::NeuronParameters::KnobValue(static_cast<uint8_t>(index), knob.second, &value)) {
      Fail(2, "--knob " + knob.first + ": there is no such knob; there are i_clamp, noise_sd, photo_gain, syn1_gain, " +
                  "syn2_gain, stim_strength and stim_period");
    }
    neuron->SetKnob(static_cast<uint8_t>(index), value);
    table->FollowKnob(static_cast<uint8_t>(index));
  }
  for (const auto& parameter : options_.parameters) {
    const int16_t index = table->Find(wire::TextOf(parameter.first.c_str()));
    if (index < 0) {
      std::string names;
      for (uint8_t i = 0; i < table->count(); ++i) names += std::string(i == 0 ? "" : ", ") + table->Spec(i).name;
      Fail(2, "--param " + parameter.first + ": there is no such parameter; there are " + names);
    }
    const uint8_t i = static_cast<uint8_t>(index);
    if (table->Check(i, false, parameter.second) != wire::ReplyCode::kOk) {
      const command::ParameterSpec spec = table->Spec(i);
      Fail(2, "--param " + parameter.first + ": must be from " + std::to_string(spec.minimum) + " to " +
                  std::to_string(spec.maximum) + (spec.type == wire::ParameterType::kFloat ? "" : ", a whole number"));
    }
    table->Set(i, false, parameter.second);
  }
}

}  // namespace native
}  // namespace spikedaq
