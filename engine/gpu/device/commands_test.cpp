#include "gpu/device/commands.h"

#include <gtest/gtest.h>

#include <string>

namespace wisp::gpu {
namespace {

TEST(GpuCommands, AreReadBackAsTheyWereWritten) {
  Commands commands;
  const std::string label = "a slab";
  commands.create_buffer(BufferId{7}, kStorage | kUniform, (std::uint64_t{3} << 32) + 16, label);
  const std::array<std::uint32_t, 2> offsets = {256, 512};
  commands.set_bind_group(1, BindGroupId{9}, offsets);
  commands.end_pass();

  CommandReader reader(commands.words());
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.opcode(), Opcode::create_buffer);
  EXPECT_EQ(reader.id<BufferId>(), BufferId{7});
  EXPECT_EQ(reader.word(), kStorage | kUniform);
  EXPECT_EQ(reader.word64(), (std::uint64_t{3} << 32) + 16);
  EXPECT_EQ(reader.text(), label);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.opcode(), Opcode::set_bind_group);
  EXPECT_EQ(reader.word(), 1u);
  EXPECT_EQ(reader.id<BindGroupId>(), BindGroupId{9});
  ASSERT_EQ(reader.word(), 2u);
  EXPECT_EQ(reader.word(), 256u);
  EXPECT_EQ(reader.word(), 512u);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.opcode(), Opcode::end_pass);
  EXPECT_FALSE(reader.next());
}

TEST(GpuCommands, ACommandThatIsNotReadToItsEndIsPassedOver) {
  Commands commands;
  commands.dispatch(1, 2, 3);
  commands.clear_buffer(BufferId{1}, 0, 64);
  CommandReader reader(commands.words());
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.word(), 1u);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.opcode(), Opcode::clear_buffer);
}

}  // namespace
}  // namespace wisp::gpu
