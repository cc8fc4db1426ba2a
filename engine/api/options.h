// A wisp_options: how an engine is to be made.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "api/handle.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "gpu/device/device.h"
#include "gpu/tuner/tuner.h"
#include "runtime/engine.h"

namespace wisp::api {

enum class DeviceKind : std::uint8_t { cpu, gpu, reference };

struct EngineChoice {
  runtime::EngineOptions engine = {};
  DeviceKind device = DeviceKind::cpu;
  std::string adapter;  // part of its name; "": the best
  bool deterministic = false;
  gpu::TuneMode tune = gpu::TuneMode::fast;
  int threads = 0;  // 0: all
  bool repack = true;
  bool kv_named = false;                             // somebody asked for that type
  std::size_t event_bytes = std::size_t{256} << 20;  // that may wait to be pulled
};

// What a wasm host brings, for it starts the threads and opens the devices.
struct HostParts {
  ThreadPool* pool = nullptr;
  std::unique_ptr<gpu::Device> device;  // of the next engine
};

struct LoadCallback {
  wisp_load_function function = nullptr;
  void* context = nullptr;
};
struct LogCallback {
  wisp_log_function function = nullptr;
  void* context = nullptr;
};

// The choice of options that may be NULL, complete: fields that depend on others are filled in.
Result<std::unique_ptr<EngineChoice>> choice_of(const wisp_options* options);

}  // namespace wisp::api

struct wisp_options : wisp::api::Tagged<wisp::api::Tag::options> {
  wisp::api::EngineChoice choice;
  wisp::api::LogCallback log;
  wisp::api::LoadCallback load;
  std::map<std::string, std::string, std::less<>> texts;  // about devices, of an earlier run
  std::unique_ptr<wisp::api::HostParts> host = std::make_unique<wisp::api::HostParts>();
};
