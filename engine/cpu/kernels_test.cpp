// The matmul and row-wise kernels of every set that runs here, against the scalar arithmetic.
#include "cpu/kernels.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "base/checked.h"
#include "cpu/kernel_testing.h"
#include "cpu/repack.h"
#include "graph/int8_activations.h"
#include "graph/scalar_matmul.h"
#include "graph/scalar_ops.h"

namespace wisp::cpu {
namespace {

using gguf::TensorType;
using test::Guarded, test::random_floats, test::same_bits;

constexpr std::array kTypes = {TensorType::f32,  TensorType::f16,  TensorType::bf16, TensorType::q4_0, TensorType::q4_1,
                               TensorType::q5_0, TensorType::q5_1, TensorType::q8_0, TensorType::q2_k, TensorType::q3_k,
                               TensorType::q4_k, TensorType::q5_k, TensorType::q6_k};

class CpuKernels : public test::CpuKernels {};
INSTANTIATE_TEST_SUITE_P(Sets, CpuKernels, testing::ValuesIn(test::running_kernels()), test::kernels_name);

// ---- matmul ----

// A matrix as the file has it, and packed.
struct TestMatrix {
  graph::Weight weight;
  std::vector<std::byte> bytes;
  std::unique_ptr<Guarded<std::uint8_t>> quants, scales;
  PackedMatrix packed;
};

TestMatrix make_matrix(TensorType type, std::uint32_t rows, std::uint32_t columns, quant::Random& random) {
  TestMatrix m;
  m.weight = {.name = "w", .type = type, .columns = columns, .rows = rows, .use = {.matrix = true}};
  const gguf::TensorTypeInfo& info = gguf::tensor_type_info(type);
  const std::size_t row_bytes = columns / info.block_elements * info.block_bytes;
  m.bytes.resize(rows * row_bytes);
  quant::random_blocks(type, 0.1f, random, m.bytes);

  const PanelFormat format = *panel_format(type);
  const PanelUnit& unit = kPanelUnits[static_cast<int>(format)];
  const std::size_t quant_bytes = panel_quant_bytes(format, columns);
  const std::size_t quant_stride = align_up<std::size_t>(quant_bytes, 64);
  const std::size_t scale_stride = panel_scale_bytes(format, columns);
  const std::uint32_t panels = div_up<std::uint32_t>(rows, kPanelRows);
  // The last panel ends with its last unit: what a kernel reads behind it is NaN.
  const std::size_t last_scales = columns / unit.columns * unit.scale_bytes;
  m.quants = std::make_unique<Guarded<std::uint8_t>>((panels - 1) * quant_stride + quant_bytes);
  m.scales = std::make_unique<Guarded<std::uint8_t>>((panels - 1) * scale_stride + last_scales);
  for (std::uint32_t p = 0; p < panels; ++p) {
    const auto count = static_cast<int>(std::min<std::uint32_t>(rows - p * kPanelRows, kPanelRows));
    repack_panel(format, m.bytes.data() + p * kPanelRows * row_bytes, row_bytes, count, columns,
                 m.quants->data() + p * quant_stride, m.scales->data() + p * scale_stride);
  }
  m.packed = {m.quants->data(), m.scales->data(), quant_stride, scale_stride, rows, columns, format};
  return m;
}

// Activations of very different size, some blocks of zeros: what rounding to int8 has to cope with.
std::vector<float> activations(std::size_t n, quant::Random& random) {
  std::vector<float> x = random_floats(n, random);
  for (std::size_t begin = 0; begin < n; begin += 32) {
    const float factor = random.below(8) == 0 ? 0.0f : std::ldexp(1.0f, static_cast<int>(random.below(20)) - 10);
    for (std::size_t i = begin; i < std::min(begin + 32, n); ++i) x[i] *= factor;
  }
  return x;
}

// Multiplies `rows` rows with a run of panels, and compares with the scalar arithmetic.
void check_matmul(const Kernels& kernels, bool exact, const TestMatrix& m, std::uint32_t rows, quant::Random& random) {
  const std::size_t columns = m.weight.columns;
  const std::uint32_t panels = div_up<std::uint32_t>(m.weight.rows, kPanelRows);
  const auto first = static_cast<std::uint32_t>(random.below(panels));
  const std::uint32_t last = first + 1 + static_cast<std::uint32_t>(random.below(panels - first));
  const std::uint32_t first_output = first * kPanelRows;
  const std::uint32_t outputs = std::min(last * kPanelRows, m.weight.rows) - first_output;
  SCOPED_TRACE(testing::Message() << rows << " rows, " << m.weight.rows << " outputs, " << columns
                                  << " columns, panels " << first << " to " << last);

  const std::vector<float> values = activations(rows * columns, random);
  const Guarded<float> x(values, random.below(3));
  const Guarded<ActivationBlock> int8_rows(rows * (columns / kBlockColumns));
  if (columns % kBlockColumns == 0) kernels.quantize_row(x.data(), rows * columns, int8_rows.data());
  const std::size_t stride = outputs + random.below(20);
  const Guarded<float> out((rows - 1) * stride + outputs, random.below(3));
  const Guarded<std::uint8_t> scratch(columns * kScratchBytesPerColumn);
  kernels.matmul({m.packed, first, last, rows, int8_rows.data(), x.data(), out.data(), stride, scratch.data()});
  EXPECT_TRUE(out.intact() && scratch.intact() && int8_rows.intact());

  std::vector<float> want(rows * std::size_t{m.weight.rows});
  graph::scalar::MatMulScratch reference;
  graph::scalar::matmul(m.weight, m.bytes, graph::Arithmetic::int8_activations, rows, values, want, reference);
  for (std::uint32_t r = 0; r < rows; ++r) {
    const auto got_row = out.span().subspan(r * stride, outputs);
    const auto want_row = std::span(want).subspan(r * std::size_t{m.weight.rows} + first_output, outputs);
    if (exact) {
      ASSERT_TRUE(same_bits(got_row, want_row)) << "row " << r;
    } else {  // each of the 2 * columns / 16 additions rounds once more
      for (std::uint32_t i = 0; i < outputs; ++i)
        ASSERT_NEAR(got_row[i], want_row[i], 1e-5f * std::abs(want_row[i]) + 1e-4f);
    }
    if (r + 1 == rows) break;
    for (std::size_t i = outputs; i < stride; ++i)
      ASSERT_EQ(std::bit_cast<std::uint32_t>(out[r * stride + i]), 0xFFFFFFFFu)
          << "between rows " << r << " and the next";
  }
}

TEST_P(CpuKernels, MatMulIsTheScalarArithmetic) {
  quant::Random random(1);
  for (const TensorType type : kTypes) {
    SCOPED_TRACE(gguf::tensor_type_info(type).name);
    const std::uint32_t unit = kPanelUnits[static_cast<int>(*panel_format(type))].columns;
    const std::size_t most_units = unit == 1 ? 100 : unit == 32 ? 9 : 3;
    // 1 to 19 rows go past every number of rows that a kernel treats together.
    for (std::uint32_t rows = 1; rows <= 19; ++rows) {
      const auto units = static_cast<std::uint32_t>(rows % 6 == 1 ? 1 : 1 + random.below(most_units));
      const auto outputs =
          static_cast<std::uint32_t>(rows % 4 == 0 ? 16 * (1 + random.below(5)) : 1 + random.below(70));
      const TestMatrix m = make_matrix(type, outputs, units * unit, random);
      check_matmul(kernels(), has_fma(), m, rows, random);
      if (HasFatalFailure()) return;
    }
  }
}

// The smallest and largest weight of a type, as integers.
struct Extremes {
  TensorType type;
  int least, most;
};
constexpr std::array kExtremes = {
    Extremes{TensorType::q4_0, -8, 7},   Extremes{TensorType::q4_1, 0, 15},     Extremes{TensorType::q5_0, -16, 15},
    Extremes{TensorType::q5_1, 0, 31},   Extremes{TensorType::q8_0, -128, 127}, Extremes{TensorType::q2_k, 0, 3},
    Extremes{TensorType::q3_k, -4, 3},   Extremes{TensorType::q4_k, 0, 15},     Extremes{TensorType::q5_k, 0, 31},
    Extremes{TensorType::q6_k, -32, 31},
};

// No step of the integer arithmetic saturates or overflows where all products are as large as they can be.
TEST_P(CpuKernels, MatMulHoldsTheLargestSums) {
  quant::Random random(2);
  constexpr std::uint32_t kColumns = 512;
  for (const Extremes& extreme : kExtremes) {
    SCOPED_TRACE(gguf::tensor_type_info(extreme.type).name);
    const TestMatrix m = make_matrix(extreme.type, kPanelRows, kColumns, random);
    for (const bool most : {false, true}) {
      std::memset(m.quants->data(), most ? 0xFF : 0x00, m.quants->size());  // all bits of all integers
      const int u = most ? extreme.most : extreme.least;
      for (const int q : {-127, 127}) {
        std::vector<float> want(kPanelRows);
        for (std::size_t lane = 0; lane < kPanelRows; ++lane) {
          graph::IntegerRow row;  // for its scales
          const std::size_t row_bytes = m.bytes.size() / kPanelRows;
          graph::unpack_integer_row(extreme.type, std::span(m.bytes).subspan(lane * row_bytes, row_bytes), row);
          const auto n = static_cast<int>(row.sub_block);
          for (std::size_t b = 0; b < row.scales.size(); ++b) {
            want[lane] = std::fma(static_cast<float>(n * q * u), row.scales[b] * 2.0f, want[lane]);
            if (!row.minimums.empty())
              want[lane] = std::fma(row.minimums[b], 2.0f * static_cast<float>(n * q), want[lane]);
          }
        }
        for (const std::uint32_t rows : {1u, 9u}) {
          const std::vector<float> x(rows * kColumns, 2.0f * static_cast<float>(q));  // d = 2
          const Guarded<ActivationBlock> int8_rows(rows * kColumns / kBlockColumns);
          const Guarded<float> out(rows * kPanelRows);
          const Guarded<std::uint8_t> scratch(kColumns * kScratchBytesPerColumn);
          kernels().quantize_row(x.data(), x.size(), int8_rows.data());
          kernels().matmul({m.packed, 0, 1, rows, int8_rows.data(), nullptr, out.data(), kPanelRows, scratch.data()});
          for (std::uint32_t r = 0; r < rows; ++r) {
            for (std::size_t lane = 0; lane < kPanelRows; ++lane) {
              const float tolerance = has_fma() ? 0.0f : 1e-5f * std::abs(want[lane]) + 1e-2f;
              ASSERT_NEAR(out[r * kPanelRows + lane], want[lane], tolerance) << "integers " << u << " and " << q;
            }
          }
        }
      }
    }
  }
}

// ---- rounding to int8 ----

TEST_P(CpuKernels, QuantizeRowIsTheScalarArithmetic) {
  quant::Random random(3);
  constexpr float kMost = std::numeric_limits<float>::max();
  constexpr float kDenormal = std::numeric_limits<float>::denorm_min();
  std::vector<float> x = random_floats(20 * 32, random);
  const auto block = [&](std::size_t b) { return std::span(x).subspan(32 * b, 32); };
  std::ranges::fill(block(0), 0.0f);
  for (float& value : block(1)) value *= 1e-30f;
  for (float& value : block(2)) value *= 1e-37f;  // 127 / max is not finite here
  for (float& value : block(3)) value *= 1e-42f;  // denormal
  std::ranges::fill(block(4), kDenormal);
  for (float& value : block(5)) value *= kMost;
  std::ranges::fill(block(6), -kMost);
  for (std::size_t i = 0; i < 32; ++i) block(7)[i] = static_cast<float>(i) - 15.5f;  // ties: the maximum is made 127
  block(7)[31] = 127.0f;
  for (std::size_t i = 0; i < 32; ++i) block(8)[i] = -block(7)[i];
  std::ranges::fill(block(9), -0.0f);
  block(10)[5] = std::numeric_limits<float>::infinity();
  block(11)[6] = std::numeric_limits<float>::quiet_NaN();
  block(12)[7] = std::numeric_limits<float>::signaling_NaN();
  std::ranges::fill(block(13), -std::numeric_limits<float>::infinity());

  const Guarded<float> in(x, 1);
  const Guarded<ActivationBlock> out(20);
  kernels().quantize_row(in.data(), x.size(), out.data());
  EXPECT_TRUE(out.intact());
  for (std::size_t b = 0; b < 20; ++b) {
    if (b >= 10 && b <= 13) continue;  // not finite: it is enough that nothing trapped and no other block noticed
    std::array<std::int8_t, 32> q{};
    const float d = graph::quantize_activation_block(block(b).first<32>(), q);
    const ActivationBlock& got = out[b];
    EXPECT_TRUE(std::ranges::equal(got.q, q)) << "block " << b;
    EXPECT_EQ(std::bit_cast<std::uint32_t>(got.d), std::bit_cast<std::uint32_t>(d)) << "block " << b;
    int half[2] = {0, 0};
    for (std::size_t i = 0; i < 32; ++i) half[i / 16] += q[i];
    EXPECT_EQ(got.minus_sum, -(half[0] + half[1]));
    EXPECT_EQ(got.d_sum, d * static_cast<float>(half[0] + half[1]));
    for (const int h : {0, 1}) {
      EXPECT_EQ(got.minus_half[h], -half[h]);
      EXPECT_EQ(got.d_half[h], d * static_cast<float>(half[h]));
    }
  }
}

// ---- rows ----

// Lengths around the 16 lanes of a vector.
constexpr std::array<std::size_t, 12> kLengths = {1, 2, 7, 15, 16, 17, 31, 32, 33, 48, 63, 200};

TEST_P(CpuKernels, RmsNormIsTheScalarArithmetic) {
  quant::Random random(4);
  for (const std::size_t n : kLengths) {
    const std::vector<float> x = random_floats(n, random, 3.0f), weight = random_floats(n, random);
    const Guarded<float> in(x, 1), by(weight, 2), out(n, 3);
    kernels().rms_norm(in.data(), by.data(), 1e-5f, n, out.data());
    EXPECT_TRUE(out.intact());
    double squares = 0;
    for (const float value : x) squares += double{value} * value;
    const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
    for (std::size_t i = 0; i < n; ++i) {
      const double want = x[i] * factor * weight[i];
      EXPECT_NEAR(out[i], want, 8 * 0x1p-24 * std::abs(want)) << n << " elements, " << i;
    }
    std::vector<float> scalar(n);
    graph::scalar::rms_norm(x, weight, 1e-5f, scalar);
    if (has_fma()) {
      EXPECT_TRUE(same_bits(out.span(), scalar)) << n << " elements";
    }
    kernels().rms_norm(in.data(), by.data(), 1e-5f, n, in.data());  // in place
    EXPECT_TRUE(same_bits(in.span(), out.span()) && in.intact());
  }
}

TEST_P(CpuKernels, SumsAndProductsAreRoundedOnce) {
  quant::Random random(5);
  for (const std::size_t n : kLengths) {
    const std::vector<float> a = random_floats(n, random), b = random_floats(n, random);
    const Guarded<float> x(a, 1), y(b, 2), out(n, 3);
    std::vector<float> want(n);
    for (std::size_t i = 0; i < n; ++i) want[i] = a[i] + b[i];
    kernels().add(x.data(), y.data(), n, out.data());
    EXPECT_TRUE(same_bits(out.span(), want) && out.intact()) << "add " << n;
    for (std::size_t i = 0; i < n; ++i) want[i] = a[i] * b[i];
    kernels().multiply(x.data(), y.data(), n, out.data());
    EXPECT_TRUE(same_bits(out.span(), want) && out.intact()) << "multiply " << n;
    for (std::size_t i = 0; i < n; ++i) want[i] = a[i] * 0.3f;
    kernels().scale(x.data(), 0.3f, n, out.data());
    EXPECT_TRUE(same_bits(out.span(), want) && out.intact()) << "scale " << n;
    kernels().scale(x.data(), 0.3f, n, x.data());
    EXPECT_TRUE(same_bits(x.span(), want) && x.intact()) << "scale in place " << n;
  }
}

double silu(double x) { return x / (1 + std::exp(-x)); }
double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

// Largest allowed error: units in the last place of the result, and of the input where the result is a small
// difference.
void expect_near(double got, double want, double relative, double absolute, const char* what, double x) {
  EXPECT_NEAR(got, want, 0x1p-24 * (relative * std::abs(want) + absolute)) << what << " of " << x;
}

// From -30 to 30, and what lies far outside.
std::vector<float> function_inputs(std::size_t n, quant::Random& random) {
  std::vector<float> x = random_floats(n, random, 30.0f);
  constexpr std::array kEdges = {0.0f, -0.0f, 1e-6f, -1e-6f, 88.5f, -88.5f, 1000.0f, -1000.0f, 1e-40f, 1e18f, -1e18f};
  for (std::size_t i = 0; i < std::min(n / 3, kEdges.size()); ++i) x[3 * i] = kEdges[i];
  return x;
}

TEST_P(CpuKernels, ActivationsAreCloseToDouble) {
  quant::Random random(6);
  for (const std::size_t n : kLengths) {
    const std::vector<float> x = function_inputs(n, random), up = random_floats(n, random);
    const Guarded<float> in(x, 1), by(up, 2), out(n, 3), gated(n, 1);
    kernels().activate(Function::silu, in.data(), n, out.data());
    kernels().gate(Function::silu, in.data(), by.data(), n, gated.data());
    EXPECT_TRUE(out.intact() && gated.intact());
    for (std::size_t i = 0; i < n; ++i) {
      expect_near(out[i], silu(x[i]), 6, 2e-31 * std::abs(x[i]), "silu", x[i]);  // e^-x ends at e^88
      EXPECT_EQ(gated[i], out[i] * up[i]);
    }
    kernels().activate(Function::gelu_tanh, in.data(), n, out.data());
    kernels().gate(Function::gelu_tanh, in.data(), by.data(), n, gated.data());
    EXPECT_TRUE(out.intact() && gated.intact());
    for (std::size_t i = 0; i < n; ++i) {
      expect_near(out[i], gelu(x[i]), 4, 4 * std::abs(x[i]), "gelu", x[i]);  // 1 + tanh is a small difference for x < 0
      EXPECT_EQ(gated[i], out[i] * up[i]);
    }
    kernels().activate(Function::none, in.data(), n, out.data());
    EXPECT_TRUE(same_bits(out.span(), x));
    kernels().softcap(in.data(), 30.0f, n, out.data());
    EXPECT_TRUE(out.intact());
    for (std::size_t i = 0; i < n; ++i) expect_near(out[i], 30 * std::tanh(x[i] / 30.0), 2, 4 * 30, "softcap", x[i]);
  }
}

TEST_P(CpuKernels, RopeTurnsPairs) {
  quant::Random random(7);
  for (const bool adjacent : {false, true}) {
    for (const auto& [head_dim, pairs] :
         {std::pair{16u, 8u}, {64u, 32u}, {80u, 20u}, {96u, 48u}, {10u, 3u}, {128u, 64u}}) {
      constexpr std::uint32_t kHeads = 3;
      const std::vector<float> x = random_floats(std::size_t{kHeads} * head_dim, random);
      std::vector<float> cos_sin(2 * std::size_t{pairs});
      for (std::uint32_t i = 0; i < pairs; ++i) {
        const double angle = 3.0 * random.uniform();
        cos_sin[i] = static_cast<float>(std::cos(angle));
        cos_sin[pairs + i] = static_cast<float>(std::sin(angle));
      }
      std::vector<float> want = x;  // what lies past the pairs stays
      for (std::uint32_t h = 0; h < kHeads; ++h) {
        for (std::uint32_t i = 0; i < pairs; ++i) {
          const std::size_t first = h * head_dim + (adjacent ? 2 * i : i);
          const std::size_t second = adjacent ? first + 1 : first + pairs;
          want[first] = x[first] * cos_sin[i] - x[second] * cos_sin[pairs + i];
          want[second] = x[second] * cos_sin[i] + x[first] * cos_sin[pairs + i];
        }
      }
      const Guarded<float> got(x, 1), angles(cos_sin, 2);
      kernels().rope(got.data(), kHeads, head_dim, pairs, adjacent, angles.data());
      EXPECT_TRUE(same_bits(got.span(), want) && got.intact()) << head_dim << " dimensions, " << pairs << " pairs";
    }
  }
}

}  // namespace
}  // namespace wisp::cpu
