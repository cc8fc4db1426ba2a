// Reads all of a buffer, to measure how fast that goes; the site's benchmark takes this file, too. A workgroup of 256 lanes reads
// 128 KiB, neighbours side by side; the sum is used, so that nothing is left out.
@group(0) @binding(0) var<storage, read> words: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var sum = vec4<u32>(0u);
  for (var i = 0u; i < 32u; i++) { sum ^= words[(group.x * 32u + i) * 256u + lane]; }
  if (all(sum == vec4<u32>(1u, 2u, 3u, 4u))) { out[0] = sum.x; }
}
