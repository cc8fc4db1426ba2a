// Stands in for http.cpp, download.cpp and sha256.cpp where libcurl or libcrypto is missing.
#include "hub/download.h"
#include "hub/http.h"
#include "hub/sha256.h"

namespace wisp::hub {
namespace {

std::unexpected<Error> absent() {
  return fail(
      Code::unsupported,
      "this wisp was built without libcurl and fetches nothing; install libcurl4-openssl-dev and libssl-dev and "
      "build again, or download the GGUF file otherwise and give its path");
}

}  // namespace

class Download::Transfers {};

Result<Answer> get_document(const std::string&, const Access&, const Patience&, const std::function<bool()>&) {
  return absent();
}
Result<std::string> sha256_of_file(const std::string&, const KeepGoing&) { return absent(); }

Download::Download(DownloadRequest, DownloadHooks) {}
Download::~Download() = default;
Status Download::fetch(std::uint64_t) { return absent(); }
Result<Fetched> Download::finish() { return absent(); }
std::uint64_t Download::size() const { return 0; }
std::uint64_t Download::resumed_bytes() const { return 0; }
std::uint64_t Download::received_bytes() const { return 0; }
Status Download::read(std::uint64_t, std::span<std::byte>) const { return absent(); }

}  // namespace wisp::hub
