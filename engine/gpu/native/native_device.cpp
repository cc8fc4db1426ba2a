#include "gpu/native/native_device.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "gpu/device/commands.h"
#include "gpu/native/adapters.h"
#include "gpu/native/compiler.h"
#include "gpu/native/error_scope.h"
#include "gpu/native/probe.h"
#include "gpu/native/staging.h"

namespace wisp::gpu {
namespace {

// What an id names. Ids are small and never used again, so they index.
struct Resource {
  enum class Kind : std::uint8_t { none, buffer, layout, pipeline, bind_group, query_set } kind = Kind::none;
  void* handle = nullptr;  // nullptr for a pipeline that is not compiled
  bool compiling = false;
  std::uint64_t bytes = 0;  // of a buffer
};

// Of push_error_scope.
struct CommandScope {
  WGPUErrorType kind;
  bool failed = false;
  std::string message;  // of the first error
};

class NativeDevice final : public Device {
 public:
  NativeDevice(Adapters adapters, DeviceInfo info) : Device(std::move(info)), adapters_(std::move(adapters)) {}
  ~NativeDevice() override;

  Status open(WGPUAdapter adapter, const NativeOptions& options);

  void run(const Commands& commands) override;
  void poll() override;
  [[nodiscard]] bool can_wait() const override { return true; }
  bool wait(Ticket ticket) override;
  void destroy() override;

  // For the probes that complete `info`.
  DeviceInfo& changeable_info() { return info_; }

 private:
  // ---- the commands ----
  void execute(CommandReader& reader);
  void create_buffer(CommandReader& reader);
  void create_layout(CommandReader& reader);
  void create_pipeline(CommandReader& reader);
  void create_bind_group(CommandReader& reader);
  void create_query_set(CommandReader& reader);
  void write_buffer(CommandReader& reader);
  void read_buffer(CommandReader& reader);
  void begin_pass(CommandReader& reader);
  void dispatch(CommandReader& reader);
  void push_error_scope(WGPUErrorType kind);
  void pop_error_scope(Ticket ticket);

  // ---- recording ----
  WGPUCommandEncoder encoder();
  void end_pass();
  void submit();

  // ---- things by id ----
  template <class Id>
  Resource* find(Id id, Resource::Kind kind, std::string_view what);
  void keep(std::uint32_t id, Resource resource);
  void release(Resource& resource);
  template <class Id>
  void destroy_resource(Id id);

  void collect_compiled();
  void take_error(WGPUErrorType type, WGPUStringView message);
  void forward_errors();

  Adapters adapters_;
  const WebGpu& api_ = adapters_.api();
  WGPUDevice device_ = nullptr;
  WGPUQueue queue_ = nullptr;
  std::unique_ptr<Compiler> compiler_;
  std::unique_ptr<Staging> staging_;
  std::vector<Resource> resources_;

  // The stream being executed.
  WGPUCommandEncoder encoder_ = nullptr;
  WGPUComputePassEncoder pass_ = nullptr;
  bool pipeline_set_ = false;
  std::vector<Staging::Read> reads_;  // recorded, not yet submitted
  std::vector<Ticket> signals_;

  // Work that has not answered yet: the submission that it waits for.
  std::unordered_map<Ticket, WGPUSubmissionIndex> in_flight_;
  std::size_t compiling_ = 0;

  // Callbacks may come on any thread of the library.
  std::mutex errors_mutex_;
  std::string error_, loss_;
  std::vector<CommandScope> scopes_;  // that commands opened, the innermost last
};

// ---- life ----

Status NativeDevice::open(WGPUAdapter adapter, const NativeOptions& options) {
  Features& features = info_.features;
  Limits& limits = info_.limits;
  if (options.no_f16) features.shader_f16 = false;
  if (options.no_subgroups) features.subgroups = false;
  if (options.no_timestamps) features.timestamps = false;
  if (options.max_binding_bytes != 0)
    limits.max_binding_bytes = std::min(limits.max_binding_bytes, options.max_binding_bytes);
  if (options.max_workgroup_bytes != 0) {
    limits.max_workgroup_bytes = std::min(limits.max_workgroup_bytes, options.max_workgroup_bytes);
  }

  std::vector<WGPUFeatureName> wanted;
  if (features.shader_f16) wanted.push_back(WGPUFeatureName_ShaderF16);
  if (features.timestamps) wanted.push_back(WGPUFeatureName_TimestampQuery);
  if (features.subgroups) wanted.push_back(static_cast<WGPUFeatureName>(WGPUNativeFeature_Subgroup));
  WGPULimits required = {};
  api_.AdapterGetLimits(adapter, &required);
  required.maxStorageBufferBindingSize = limits.max_binding_bytes;
  required.maxComputeWorkgroupStorageSize = limits.max_workgroup_bytes;

  WGPUDeviceDescriptor descriptor = {};
  descriptor.label = view("wisp");
  descriptor.requiredFeatureCount = wanted.size();
  descriptor.requiredFeatures = wanted.data();
  descriptor.requiredLimits = &required;
  descriptor.deviceLostCallbackInfo.mode = WGPUCallbackMode_AllowSpontaneous;
  descriptor.deviceLostCallbackInfo.callback = [](const WGPUDevice*, WGPUDeviceLostReason, WGPUStringView message,
                                                  void* user, void*) {
    auto* self = static_cast<NativeDevice*>(user);
    const std::lock_guard lock(self->errors_mutex_);
    self->loss_ = text_of(message);
    if (self->loss_.empty()) self->loss_ = "the driver gave no reason";
  };
  descriptor.deviceLostCallbackInfo.userdata1 = this;
  descriptor.uncapturedErrorCallbackInfo.callback = [](const WGPUDevice*, WGPUErrorType type, WGPUStringView message,
                                                       void* user, void*) {
    static_cast<NativeDevice*>(user)->take_error(type, message);
  };
  descriptor.uncapturedErrorCallbackInfo.userdata1 = this;

  struct Answer {
    WGPUDevice device = nullptr;
    std::string message;
  } answer;
  WGPURequestDeviceCallbackInfo callback = {};
  callback.mode = WGPUCallbackMode_AllowSpontaneous;
  callback.callback = [](WGPURequestDeviceStatus, WGPUDevice device, WGPUStringView message, void* user, void*) {
    *static_cast<Answer*>(user) = {device, text_of(message)};
  };
  callback.userdata1 = &answer;
  api_.AdapterRequestDevice(adapter, &descriptor, callback);
  if (answer.device == nullptr) return fail(Code::device, "{} gave no device: {}", info_.name, answer.message);
  device_ = answer.device;
  queue_ = api_.DeviceGetQueue(device_);
  info_.timestamp_nanoseconds = api_.QueueGetTimestampPeriod(queue_);
  compiler_ = std::make_unique<Compiler>(api_, device_);
  staging_ = std::make_unique<Staging>(api_, device_);
  return {};
}

NativeDevice::~NativeDevice() {
  if (device_ == nullptr) return;
  compiler_.reset();
  if (lost().empty()) api_.DevicePoll(device_, 1, nullptr);  // reads and signals that are under way still call back
  staging_->abandon();
  for (Resource& resource : resources_) release(resource);
  api_.QueueRelease(queue_);
  api_.DeviceRelease(device_);  // calls back for what a loss left under way: the staging goes after it
  staging_.reset();
}

void NativeDevice::destroy() {
  staging_->abandon();
  api_.DeviceDestroy(device_);
  note_lost("the device was destroyed on purpose");
}

// ---- things by id ----

template <class Id>
Resource* NativeDevice::find(Id id, Resource::Kind kind, std::string_view what) {
  const auto index = static_cast<std::uint32_t>(id);
  if (index < resources_.size() && resources_[index].kind == kind) return &resources_[index];
  note_uncaptured_error(fmt::format("{} {} is not there", what, index));
  return nullptr;
}

void NativeDevice::keep(std::uint32_t id, Resource resource) {
  if (id >= resources_.size()) resources_.resize(id + 1);
  release(resources_[id]);
  resources_[id] = resource;
}

void NativeDevice::release(Resource& resource) {
  if (resource.handle != nullptr) {
    switch (resource.kind) {
      case Resource::Kind::none: break;
      case Resource::Kind::buffer: api_.BufferRelease(static_cast<WGPUBuffer>(resource.handle)); break;
      case Resource::Kind::layout:
        api_.BindGroupLayoutRelease(static_cast<WGPUBindGroupLayout>(resource.handle));
        break;
      case Resource::Kind::pipeline:
        api_.ComputePipelineRelease(static_cast<WGPUComputePipeline>(resource.handle));
        break;
      case Resource::Kind::bind_group: api_.BindGroupRelease(static_cast<WGPUBindGroup>(resource.handle)); break;
      case Resource::Kind::query_set: api_.QuerySetRelease(static_cast<WGPUQuerySet>(resource.handle)); break;
    }
  }
  resource = {};
}

template <class Id>
void NativeDevice::destroy_resource(Id id) {
  const auto index = static_cast<std::uint32_t>(id);
  if (index >= resources_.size()) return;
  Resource& resource = resources_[index];
  // Memory goes at once, not when the last bind group that names it does.
  if (resource.kind == Resource::Kind::buffer && resource.handle != nullptr) {
    submit();
    api_.BufferDestroy(static_cast<WGPUBuffer>(resource.handle));
  }
  release(resource);
}

// ---- the commands ----

void NativeDevice::run(const Commands& commands) {
  forward_errors();
  if (!lost().empty()) return;
  collect_compiled();
  count_buffers(commands);
  CommandReader reader(commands.words());
  while (reader.next()) execute(reader);
  submit();
  forward_errors();
}

void NativeDevice::execute(CommandReader& reader) {
  switch (reader.opcode()) {
    case Opcode::create_buffer: return create_buffer(reader);
    case Opcode::write_buffer: return write_buffer(reader);
    case Opcode::create_layout: return create_layout(reader);
    case Opcode::create_pipeline: return create_pipeline(reader);
    case Opcode::create_bind_group: return create_bind_group(reader);
    case Opcode::create_query_set: return create_query_set(reader);
    case Opcode::destroy_buffer: return destroy_resource(reader.id<BufferId>());
    case Opcode::destroy_pipeline: return destroy_resource(reader.id<PipelineId>());
    case Opcode::destroy_bind_group: return destroy_resource(reader.id<BindGroupId>());
    case Opcode::destroy_query_set: return destroy_resource(reader.id<QuerySetId>());
    case Opcode::begin_pass: return begin_pass(reader);
    case Opcode::set_pipeline: {
      const Resource* pipeline = find(reader.id<PipelineId>(), Resource::Kind::pipeline, "pipeline");
      pipeline_set_ = pipeline != nullptr && pipeline->handle != nullptr && pass_ != nullptr;
      if (pipeline_set_) {
        api_.ComputePassEncoderSetPipeline(pass_, static_cast<WGPUComputePipeline>(pipeline->handle));
      } else if (pipeline != nullptr) {
        note_uncaptured_error(pass_ == nullptr      ? "set_pipeline outside a pass"
                              : pipeline->compiling ? "a pipeline is used before it is compiled"
                                                    : "a pipeline that does not compile is used");
      }
      return;
    }
    case Opcode::set_bind_group: {
      const std::uint32_t number = reader.word();
      const Resource* group = find(reader.id<BindGroupId>(), Resource::Kind::bind_group, "bind group");
      const std::uint32_t count = reader.word();
      std::array<std::uint32_t, 4> offsets = {};
      for (std::uint32_t i = 0; i < std::min<std::uint32_t>(count, offsets.size()); ++i) offsets[i] = reader.word();
      if (group == nullptr || pass_ == nullptr) return;
      api_.ComputePassEncoderSetBindGroup(pass_, number, static_cast<WGPUBindGroup>(group->handle), count,
                                          offsets.data());
      return;
    }
    case Opcode::dispatch: return dispatch(reader);
    case Opcode::end_pass: return end_pass();
    case Opcode::copy_buffer: {
      const Resource* from = find(reader.id<BufferId>(), Resource::Kind::buffer, "copy_buffer: buffer");
      const std::uint64_t from_offset = reader.word64();
      const Resource* to = find(reader.id<BufferId>(), Resource::Kind::buffer, "copy_buffer: buffer");
      const std::uint64_t to_offset = reader.word64();
      const std::uint64_t bytes = reader.word64();
      if (from == nullptr || to == nullptr || bytes == 0) return;
      api_.CommandEncoderCopyBufferToBuffer(encoder(), static_cast<WGPUBuffer>(from->handle), from_offset,
                                            static_cast<WGPUBuffer>(to->handle), to_offset, bytes);
      return;
    }
    case Opcode::clear_buffer: {
      const Resource* buffer = find(reader.id<BufferId>(), Resource::Kind::buffer, "clear_buffer: buffer");
      const std::uint64_t offset = reader.word64();
      const std::uint64_t bytes = reader.word64();
      if (buffer == nullptr || bytes == 0) return;
      api_.CommandEncoderClearBuffer(encoder(), static_cast<WGPUBuffer>(buffer->handle), offset, bytes);
      return;
    }
    case Opcode::resolve_queries: {
      const Resource* set = find(reader.id<QuerySetId>(), Resource::Kind::query_set, "query set");
      const std::uint32_t first = reader.word();
      const std::uint32_t count = reader.word();
      const Resource* buffer = find(reader.id<BufferId>(), Resource::Kind::buffer, "resolve_queries: buffer");
      const std::uint64_t offset = reader.word64();
      if (set == nullptr || buffer == nullptr) return;
      api_.CommandEncoderResolveQuerySet(encoder(), static_cast<WGPUQuerySet>(set->handle), first, count,
                                         static_cast<WGPUBuffer>(buffer->handle), offset);
      return;
    }
    case Opcode::read_buffer: return read_buffer(reader);
    case Opcode::signal: signals_.push_back(reader.id<Ticket>()); return;
    case Opcode::push_error_scope:
      return push_error_scope(reader.word() == 1 ? WGPUErrorType_OutOfMemory : WGPUErrorType_Validation);
    case Opcode::pop_error_scope: return pop_error_scope(reader.id<Ticket>());
  }
  note_uncaptured_error(fmt::format("command {} is unknown", static_cast<int>(reader.opcode())));
}

void NativeDevice::create_buffer(CommandReader& reader) {
  const std::uint32_t id = reader.word();
  const std::uint32_t usage = reader.word();
  WGPUBufferDescriptor descriptor = {};
  descriptor.usage = WGPUBufferUsage_CopySrc | WGPUBufferUsage_CopyDst;
  if ((usage & kStorage) != 0) descriptor.usage |= WGPUBufferUsage_Storage;
  if ((usage & kUniform) != 0) descriptor.usage |= WGPUBufferUsage_Uniform;
  if ((usage & kQueryResolve) != 0) descriptor.usage |= WGPUBufferUsage_QueryResolve;
  descriptor.size = reader.word64();
  descriptor.label = view(reader.text());
  keep(id, {Resource::Kind::buffer, api_.DeviceCreateBuffer(device_, &descriptor), false, descriptor.size});
}

void NativeDevice::write_buffer(CommandReader& reader) {
  const Resource* buffer = find(reader.id<BufferId>(), Resource::Kind::buffer, "write_buffer: buffer");
  const std::uint64_t offset = reader.word64();
  const auto* bytes = reinterpret_cast<const std::byte*>(static_cast<std::uintptr_t>(reader.word64()));
  const std::uint64_t count = reader.word64();
  if (buffer == nullptr || count == 0) return;
  submit();  // the queue would put the write before work that is recorded
  api_.QueueWriteBuffer(queue_, static_cast<WGPUBuffer>(buffer->handle), offset, bytes, count);
}

void NativeDevice::create_layout(CommandReader& reader) {
  const std::uint32_t id = reader.word();
  const std::string_view label = reader.text();
  std::vector<WGPUBindGroupLayoutEntry> entries(reader.word());
  for (std::uint32_t i = 0; i < entries.size(); ++i) {
    entries[i].binding = i;
    entries[i].visibility = WGPUShaderStage_Compute;
    switch (static_cast<BindingKind>(reader.word())) {
      case BindingKind::storage_read: entries[i].buffer.type = WGPUBufferBindingType_ReadOnlyStorage; break;
      case BindingKind::storage_read_write: entries[i].buffer.type = WGPUBufferBindingType_Storage; break;
      case BindingKind::uniform: entries[i].buffer.type = WGPUBufferBindingType_Uniform; break;
      case BindingKind::uniform_dynamic:
        entries[i].buffer.type = WGPUBufferBindingType_Uniform;
        entries[i].buffer.hasDynamicOffset = 1;
        break;
    }
  }
  WGPUBindGroupLayoutDescriptor descriptor = {};
  descriptor.label = view(label);
  descriptor.entryCount = entries.size();
  descriptor.entries = entries.data();
  keep(id, {Resource::Kind::layout, api_.DeviceCreateBindGroupLayout(device_, &descriptor)});
}

void NativeDevice::create_pipeline(CommandReader& reader) {
  const auto id = reader.id<PipelineId>();
  const auto ticket = reader.id<Ticket>();
  const std::string_view wgsl = reader.text();
  const std::string_view label = reader.text();
  std::vector<WGPUBindGroupLayout> layouts(reader.word());
  for (WGPUBindGroupLayout& layout : layouts) {
    const Resource* found = find(reader.id<LayoutId>(), Resource::Kind::layout, "create_pipeline: layout");
    if (found == nullptr) return deliver(ticket, {Event::Kind::pipeline, false, false, "a layout is not there"});
    layout = static_cast<WGPUBindGroupLayout>(found->handle);
  }
  WGPUPipelineLayoutDescriptor descriptor = {};
  descriptor.label = view(label);
  descriptor.bindGroupLayoutCount = layouts.size();
  descriptor.bindGroupLayouts = layouts.data();
  WGPUPipelineLayout layout = api_.DeviceCreatePipelineLayout(device_, &descriptor);
  keep(static_cast<std::uint32_t>(id), {Resource::Kind::pipeline, nullptr, true});
  compiler_->add({id, ticket, std::string(wgsl), std::string(label), layout});
  ++compiling_;
}

void NativeDevice::create_bind_group(CommandReader& reader) {
  const std::uint32_t id = reader.word();
  const Resource* layout = find(reader.id<LayoutId>(), Resource::Kind::layout, "create_bind_group: layout");
  const std::string_view label = reader.text();
  std::vector<WGPUBindGroupEntry> entries(reader.word());
  for (std::uint32_t i = 0; i < entries.size(); ++i) {
    const Resource* buffer = find(reader.id<BufferId>(), Resource::Kind::buffer, "create_bind_group: buffer");
    entries[i].binding = i;
    entries[i].offset = reader.word64();
    entries[i].size = reader.word64();
    if (buffer == nullptr) return;
    entries[i].buffer = static_cast<WGPUBuffer>(buffer->handle);
  }
  if (layout == nullptr) return;
  WGPUBindGroupDescriptor descriptor = {};
  descriptor.label = view(label);
  descriptor.layout = static_cast<WGPUBindGroupLayout>(layout->handle);
  descriptor.entryCount = entries.size();
  descriptor.entries = entries.data();
  keep(id, {Resource::Kind::bind_group, api_.DeviceCreateBindGroup(device_, &descriptor)});
}

void NativeDevice::create_query_set(CommandReader& reader) {
  const std::uint32_t id = reader.word();
  WGPUQuerySetDescriptor descriptor = {};
  descriptor.type = WGPUQueryType_Timestamp;
  descriptor.count = reader.word();
  keep(id, {Resource::Kind::query_set, api_.DeviceCreateQuerySet(device_, &descriptor)});
}

void NativeDevice::read_buffer(CommandReader& reader) {
  const auto ticket = reader.id<Ticket>();
  const Resource* buffer = find(reader.id<BufferId>(), Resource::Kind::buffer, "read_buffer: buffer");
  const std::uint64_t offset = reader.word64();
  const std::uint64_t bytes = reader.word64();
  auto* target = reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(reader.word64()));
  if (buffer == nullptr) return deliver(ticket, {Event::Kind::read, false, false, "the buffer is not there"});
  const Staging::Read read = staging_->begin(ticket, {target, static_cast<std::size_t>(bytes)});
  api_.CommandEncoderCopyBufferToBuffer(encoder(), static_cast<WGPUBuffer>(buffer->handle), offset, read.buffer, 0,
                                        bytes);
  reads_.push_back(read);
}

void NativeDevice::begin_pass(CommandReader& reader) {
  const std::string_view label = reader.text();
  const auto set = reader.id<QuerySetId>();
  const std::uint32_t first = reader.word();
  WGPUPassTimestampWrites stamps = {};
  WGPUComputePassDescriptor descriptor = {};
  descriptor.label = view(label);
  if (set != QuerySetId::none) {
    const Resource* queries = find(set, Resource::Kind::query_set, "query set");
    if (queries != nullptr) {
      stamps.querySet = static_cast<WGPUQuerySet>(queries->handle);
      stamps.beginningOfPassWriteIndex = first;
      stamps.endOfPassWriteIndex = first + 1;
      descriptor.timestampWrites = &stamps;
    }
  }
  pass_ = api_.CommandEncoderBeginComputePass(encoder(), &descriptor);
  pipeline_set_ = false;
}

void NativeDevice::dispatch(CommandReader& reader) {
  const std::uint32_t x = reader.word();
  const std::uint32_t y = reader.word();
  const std::uint32_t z = reader.word();
  if (pass_ != nullptr && pipeline_set_) api_.ComputePassEncoderDispatchWorkgroups(pass_, x, y, z);
}

void NativeDevice::push_error_scope(WGPUErrorType kind) {
  const std::lock_guard lock(errors_mutex_);
  scopes_.push_back({kind, false, {}});
}

void NativeDevice::pop_error_scope(Ticket ticket) {
  submit();  // what was recorded inside belongs to the scope
  CommandScope scope{WGPUErrorType_NoError, false, {}};
  {
    const std::lock_guard lock(errors_mutex_);
    if (!scopes_.empty()) {
      scope = std::move(scopes_.back());
      scopes_.pop_back();
    }
  }
  deliver(ticket, {Event::Kind::error_scope, !scope.failed, scope.failed && scope.kind == WGPUErrorType_OutOfMemory,
                   std::move(scope.message)});
}

// ---- recording ----

WGPUCommandEncoder NativeDevice::encoder() {
  if (encoder_ == nullptr) {
    WGPUCommandEncoderDescriptor descriptor = {};
    descriptor.label = view("wisp stream");
    encoder_ = api_.DeviceCreateCommandEncoder(device_, &descriptor);
  }
  return encoder_;
}

void NativeDevice::end_pass() {
  if (pass_ == nullptr) return;
  api_.ComputePassEncoderEnd(pass_);
  api_.ComputePassEncoderRelease(pass_);
  pass_ = nullptr;
}

// Work that the library finds invalid must not be submitted: it would end the process.
void NativeDevice::submit() {
  end_pass();
  bool valid = true;
  WGPUSubmissionIndex index = 0;
  if (encoder_ != nullptr) {
    WGPUCommandBuffer buffer = nullptr;
    {
      const ErrorScope scope;
      buffer = api_.CommandEncoderFinish(encoder_, nullptr);
      valid = !scope.failed() && buffer != nullptr;
      if (!valid) note_uncaptured_error(scope.message());
    }
    if (valid) index = api_.QueueSubmitForIndex(queue_, 1, &buffer);
    if (buffer != nullptr) api_.CommandBufferRelease(buffer);
    api_.CommandEncoderRelease(encoder_);
    encoder_ = nullptr;
  } else if (!signals_.empty()) {
    index = api_.QueueSubmitForIndex(queue_, 0, nullptr);
  }
  for (const Staging::Read& read : std::exchange(reads_, {})) {
    if (valid) {
      in_flight_[read.ticket] = index;
      staging_->map(read);
    } else {
      staging_->drop(read);
      deliver(read.ticket, {Event::Kind::read, false, false, "the commands before the read are invalid"});
    }
  }
  for (const Ticket ticket : std::exchange(signals_, {})) {
    in_flight_[ticket] = index;
    staging_->signal(queue_, ticket);
  }
}

// ---- events ----

void NativeDevice::collect_compiled() {
  for (Compiler::Done& done : compiler_->take()) {
    --compiling_;
    const bool ok = done.compiled != nullptr;
    const auto index = static_cast<std::uint32_t>(done.pipeline);
    Resource* resource = index < resources_.size() ? &resources_[index] : nullptr;
    if (resource != nullptr && resource->kind == Resource::Kind::pipeline) {
      resource->handle = done.compiled;
      resource->compiling = false;
    } else if (ok) {
      api_.ComputePipelineRelease(done.compiled);  // destroyed in the meantime
    }
    deliver(done.ticket, {Event::Kind::pipeline, ok, false, std::move(done.message)});
  }
}

// To whoever asked to hear of it: the thread that caused it, or the innermost scope of the commands that wants its
// kind.
void NativeDevice::take_error(WGPUErrorType type, WGPUStringView message) {
  if (ErrorScope::offer(message)) return;
  const std::lock_guard lock(errors_mutex_);
  const auto scope = std::find_if(scopes_.rbegin(), scopes_.rend(), [&](const auto& one) { return one.kind == type; });
  if (scope == scopes_.rend()) {
    if (error_.empty()) error_ = text_of(message);
  } else if (!std::exchange(scope->failed, true)) {
    scope->message = text_of(message);
  }
}

void NativeDevice::forward_errors() {
  const std::lock_guard lock(errors_mutex_);
  if (!error_.empty()) note_uncaptured_error(std::exchange(error_, {}));
  if (!loss_.empty()) note_lost(std::exchange(loss_, {}));
}

void NativeDevice::poll() {
  forward_errors();
  if (!lost().empty()) return;
  api_.DevicePoll(device_, 0, nullptr);
  for (Staging::Finished& finished : staging_->take()) {
    in_flight_.erase(finished.ticket);
    deliver(finished.ticket, std::move(finished.event));
  }
  collect_compiled();
  forward_errors();
}

bool NativeDevice::wait(Ticket ticket) {
  while (true) {
    poll();
    if (has(ticket)) return true;
    if (!lost().empty()) return false;
    if (const auto waiting = in_flight_.find(ticket); waiting != in_flight_.end()) {
      const WGPUSubmissionIndex index = waiting->second;
      api_.DevicePoll(device_, 1, &index);
    } else if (compiling_ == 0 || !compiler_->wait()) {
      note_uncaptured_error(fmt::format("nothing will ever answer ticket {}", static_cast<std::uint32_t>(ticket)));
      return false;
    }
  }
}

}  // namespace

Result<std::vector<DeviceInfo>> list_adapters() {
  WISP_TRY(Adapters adapters, Adapters::open());
  std::vector<DeviceInfo> infos;
  for (const Adapters::Entry& entry : adapters.entries()) infos.push_back(entry.info);
  return infos;
}

Result<std::unique_ptr<Device>> make_native_device(const NativeOptions& options) {
  WISP_TRY(Adapters adapters, Adapters::open());
  const Adapters::Entry* entry = adapters.find(options.adapter);
  if (entry == nullptr) {
    std::string names;
    for (const Adapters::Entry& one : adapters.entries()) names += "\n  " + one.info.name;
    if (names.empty()) {
      return fail(Code::device,
                  "this machine has no WebGPU adapter: no driver for Vulkan, Metal or Direct3D 12 was found");
    }
    return fail(Code::device, "no WebGPU adapter is called '{}'; there are:{}", options.adapter, names);
  }
  WGPUAdapter adapter = entry->adapter;
  DeviceInfo info = entry->info;
  auto device = std::make_unique<NativeDevice>(std::move(adapters), std::move(info));
  WISP_CHECK(device->open(adapter, options));
  WISP_CHECK(complete_info(*device, device->changeable_info()));
  if (options.no_packed_dot) device->changeable_info().features.packed_dot = false;
  return device;
}

}  // namespace wisp::gpu
