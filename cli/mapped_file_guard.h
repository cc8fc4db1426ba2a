// A model file is mapped, and some of it is read long after it was opened. Where another program truncates it
// meanwhile, the system raises SIGBUS; the command then says so and ends with the exit code of a refused file instead.
#pragma once

namespace wisp::cli {

// Once, before any file is opened.
void guard_mapped_files();

}  // namespace wisp::cli
