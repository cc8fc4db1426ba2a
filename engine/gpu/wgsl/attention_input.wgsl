//# Members of struct Op that every way of attention has first: AttentionInput of gpu/kernels/attention.h.
  q: u32,
  group: u32,
  blocks: u32,
  scale: f32,
  softcap: f32,
  window: u32,  // 0: none
  sinks: u32,
  sink_rope: u32,
