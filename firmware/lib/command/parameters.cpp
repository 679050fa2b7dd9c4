#include "command/parameters.h"

#include <string.h>

namespace spikedaq {
namespace command {

uint8_t ParameterTable::count() const {
  uint8_t n = 0;
  for (const ParameterBank* bank : banks_) n = static_cast<uint8_t>(n + (bank == nullptr ? 0 : bank->count()));
  return n;
}

ParameterBank* ParameterTable::Bank(uint8_t* index) const {
  if (*index < banks_[0]->count()) return banks_[0];
  *index = static_cast<uint8_t>(*index - banks_[0]->count());
  return banks_[1];
}

ParameterSpec ParameterTable::Spec(uint8_t index) const {
  const ParameterBank* bank = Bank(&index);
  return bank->Spec(index);
}

float ParameterTable::Value(uint8_t index) const {
  const ParameterBank* bank = Bank(&index);
  return bank->Value(index);
}

wire::ReplyCode ParameterTable::Check(uint8_t index, bool hand_back, float value) const {
  if (index >= count()) return wire::ReplyCode::kOutOfRange;
  const ParameterSpec spec = Spec(index);
  if ((spec.flags & wire::kParameterReadOnly) != 0) return wire::ReplyCode::kReadOnly;
  if (hand_back) return wire::ReplyCode::kOk;
  if (!(value >= spec.minimum && value <= spec.maximum)) return wire::ReplyCode::kOutOfRange;
  if (spec.type == wire::ParameterType::kFloat) return wire::ReplyCode::kOk;
  const bool whole = static_cast<float>(static_cast<int32_t>(value)) == value;
  return whole ? wire::ReplyCode::kOk : wire::ReplyCode::kOutOfRange;
}

void ParameterTable::Set(uint8_t index, bool hand_back, float value) {
  unseen_ = 0;
  changed_step_ = *step_;
  changed_tick_ = static_cast<uint32_t>(*tick_);
  const uint8_t bit = static_cast<uint8_t>(1u << index % 8);
  held_[index / 8] = static_cast<uint8_t>(hand_back ? held_[index / 8] & ~bit : held_[index / 8] | bit);
  ParameterBank* bank = Bank(&index);
  if (hand_back) {
    bank->HandBack(index);
  } else {
    bank->Store(index, value);
  }
}

void ParameterTable::HandBackAll() {
  for (uint8_t i = count(); i > 0; --i) Set(static_cast<uint8_t>(i - 1), true, 0);
}

void ParameterTable::FollowKnob(uint8_t index) {
  if (!Held(index)) Set(index, true, 0);
}

int16_t ParameterTable::Find(wire::Text name) const {
  for (uint8_t i = 0; i < count(); ++i) {
    const ParameterSpec spec = Spec(i);
    const wire::Text known = wire::TextOf(spec.name);
    if (known.size == name.size && memcmp(known.data, name.data, name.size) == 0) return i;
  }
  return -1;
}

bool ParameterTable::TakeChange(uint8_t* index, float* value) {
  for (; unseen_ < count(); ++unseen_) {
    const float now = Value(unseen_);
    if (now == told_[unseen_]) continue;
    told_[unseen_] = now;
    *index = unseen_;
    *value = now;
    return true;
  }
  unseen_ = kMaxParameters;
  return false;
}

void ParameterTable::ForgetChanges() {
  for (uint8_t i = 0; i < count(); ++i) told_[i] = Value(i);
}

}  // namespace command
}  // namespace spikedaq
