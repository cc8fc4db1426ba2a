//# The constants that both matrix kernels have (MatMulConstants in gpu/kernels/matmul.h).
struct Op {
  x: u32,         // where the rows of x start in the arena, K apart
  norm: u32,      // weights of the norm
  eps: f32,
  residual: u32,  // rows as far apart as those of the result
  row_set: u32,   // 0: the rows of the step, 1: those with logits
  columns: u32,   // of x, for kernels without a shape of their own,
  blocks: u32,    // of 32 of them
  // By matrix: where the result's rows start, at the matrix's first row; from one row of the result to the next; rows of
  // the matrix; its bias.
  out: vec3<u32>,
  width: vec3<u32>,
  rows: vec3<u32>,
  bias: vec3<u32>,
  first_tile: vec3<u32>,  // workgroups from this number on belong to the matrix; for kernels without a shape
}
