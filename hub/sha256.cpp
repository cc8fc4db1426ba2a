#include "hub/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace wisp::hub {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
struct FreeDigest {
  void operator()(EVP_MD_CTX* digest) const { EVP_MD_CTX_free(digest); }
};

constexpr std::size_t kPiece = std::size_t{1} << 20;

}  // namespace

Result<std::string> sha256_of_file(const std::string& path, const KeepGoing& keep_going) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return fail(Code::io, "cannot open {}: {}", printable(path, 400), std::strerror(errno));
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> digest(EVP_MD_CTX_new());
  if (digest == nullptr || EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) != 1) {
    return fail(Code::internal, "libcrypto has no SHA-256");
  }
  std::vector<unsigned char> piece(kPiece);
  std::uint64_t done = 0;
  while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), file.get())) {
    EVP_DigestUpdate(digest.get(), piece.data(), n);
    done += n;
    if (!keep_going(done)) return fail(Code::cancelled, "stopped while checking {}", printable(path, 400));
  }
  if (std::ferror(file.get()) != 0) {
    return fail(Code::io, "cannot read {}: {}", printable(path, 400), std::strerror(errno));
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned length = 0;
  EVP_DigestFinal_ex(digest.get(), bytes.data(), &length);
  std::string text;
  for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

}  // namespace wisp::hub
