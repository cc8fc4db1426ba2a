#include "hub/download.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <list>
#include <utility>

#include "base/clock.h"
#include "hub/curl_handle.h"
#include "hub/sha256.h"

namespace wisp::hub {
namespace {

// Before the size is known: the first request asks for this much.
constexpr std::uint64_t kFirstPiece = std::uint64_t{1} << 20;
// This much makes failures before it forgotten: the server delivers, if in small portions.
constexpr std::uint64_t kProgress = 1024;
constexpr int kMostRestarts = 3;
constexpr int kPollMs = 50;

struct CleanUpMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

std::uint64_t in_ns(std::chrono::milliseconds time) { return static_cast<std::uint64_t>(time.count()) * 1'000'000; }

// Of the last answer in a chain of redirects; the linked ones of any.
struct Headers {
  std::optional<ContentRange> range;
  std::string range_text, etag, last_modified, encoding, type, linked_etag, linked_size, commit;
  std::optional<std::chrono::milliseconds> retry_after;

  void read_line(std::string_view line) {
    if (line.starts_with("HTTP/")) {
      Headers next;
      next.linked_etag = std::move(linked_etag);
      next.linked_size = std::move(linked_size);
      next.commit = std::move(commit);
      *this = std::move(next);
      return;
    }
    const auto keep = [&](std::string_view name, std::string& value) {
      if (auto found = header_value(line, name)) value = *std::move(found);
    };
    keep("content-range", range_text);
    keep("etag", etag);
    keep("last-modified", last_modified);
    keep("content-encoding", encoding);
    keep("content-type", type);
    keep("x-linked-etag", linked_etag);
    keep("x-linked-size", linked_size);
    keep("x-repo-commit", commit);
    if (const auto value = header_value(line, "content-range")) range = parse_content_range(*value);
    if (const auto value = header_value(line, "retry-after")) retry_after = parse_retry_after(*value);
  }
  // Strong ETags and dates tell whether two answers are of the same bytes; weak ETags do not.
  [[nodiscard]] std::string validator() const {
    return etag.starts_with('"') ? etag : etag.empty() ? last_modified : std::string();
  }
  // The SHA-256 that Hugging Face names in a quoted header.
  [[nodiscard]] std::string linked_sha256() const {
    std::string text = linked_etag;
    std::erase(text, '"');
    const bool hash = text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
    return hash ? text : std::string();
  }
};

}  // namespace

// All requests for one file.
class Download::Transfers {
 public:
  Transfers(DownloadRequest request, DownloadHooks hooks) : request_(std::move(request)), hooks_(std::move(hooks)) {
    take_up();
  }
  ~Transfers() { stop_all(); }
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  Status fetch(std::uint64_t bytes);
  Result<Fetched> finish();

  [[nodiscard]] std::uint64_t total() const { return part_ ? part_->identity().size : request_.size; }
  std::optional<PartFile> part_;
  std::uint64_t resumed_ = 0, received_ = 0;

 private:
  // What an answer or the end of a transfer means for the whole.
  enum class Verdict : std::uint8_t {
    fine,
    retry,    // later, from where it is
    restart,  // what is there is of another file, or of no use with this server
    fatal,
  };
  struct Transfer {
    Transfers* owner = nullptr;
    Request request;
    std::size_t piece = 0;
    std::uint64_t next = 0;  // offset of the next byte
    std::uint64_t end = 0;   // one past the last byte that was asked for
    bool whole = false;      // the answer is the whole file, without ranges
    Headers headers;
    bool checked = false;
    Verdict verdict = Verdict::fine;
    Error error;
    std::uint64_t last_ns = 0;
  };

  void take_up();
  void stop_all();
  [[nodiscard]] bool busy(std::size_t piece) const;
  Status start_transfers(std::uint64_t bytes);
  Status start(std::size_t piece, std::uint64_t from, std::uint64_t end);
  Status handle_finished();
  Status judge(Transfer& transfer, Verdict verdict, Error error);
  Status give_up_stalled();
  Status failed(Error error, std::optional<std::chrono::milliseconds> wait);
  Status restart(const std::string& why);
  Status check_room() const;
  Status check_start();
  [[nodiscard]] std::uint64_t allowed(std::uint64_t bytes) const {
    return whole_only_ ? total() : std::min(bytes, total());
  }

  // Within libcurl's callbacks.
  bool refuse(Transfer& transfer, Verdict verdict, Code code, std::string message);
  bool check_answer(Transfer& transfer);
  bool check_range(Transfer& transfer);
  bool check_whole(Transfer& transfer);
  bool check_identity(Transfer& transfer, std::uint64_t size);
  bool take_bytes(Transfer& transfer, std::span<const char> bytes);
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* user);
  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* user);

  DownloadRequest request_;
  DownloadHooks hooks_;
  std::unique_ptr<CURLM, CleanUpMulti> multi_{curl_multi_init()};
  std::list<Transfer> transfers_;
  bool confirmed_ = false;   // an answer has shown that the server has the file that we think of
  bool whole_only_ = false;  // the server has no ranges
  bool start_checked_ = false;
  int failures_ = 0, restarts_ = 0;
  int connections_ = request_.connections;
  std::uint64_t progress_ = 0;   // bytes since the last failure
  std::uint64_t resume_at_ = 0;  // ns; no request before
  std::string commit_;
};

void Download::Transfers::take_up() {
  Result<PartFile> part = PartFile::resume(request_.path, request_.source);
  if (!part) {
    PartFile::discard(request_.path);
    return;
  }
  const FileIdentity& identity = part->identity();
  const bool other_size = request_.size != 0 && request_.size != identity.size;
  const bool other_hash = !request_.sha256.empty() && !identity.sha256.empty() && request_.sha256 != identity.sha256;
  if (other_size || other_hash) {
    hooks_.say(fmt::format("{} has changed since its download began; it starts over", printable(request_.shown, 400)));
    PartFile::discard(request_.path);
    return;
  }
  resumed_ = part->done_bytes();
  part_ = *std::move(part);
}

void Download::Transfers::stop_all() {
  for (Transfer& transfer : transfers_) curl_multi_remove_handle(multi_.get(), transfer.request.easy.get());
  transfers_.clear();
}

bool Download::Transfers::busy(std::size_t piece) const {
  return std::ranges::any_of(transfers_, [&](const Transfer& transfer) { return transfer.piece == piece; });
}

Status Download::Transfers::fetch(std::uint64_t bytes) {
  if (multi_ == nullptr) return fail(Code::internal, "libcurl does not start");
  WISP_CHECK(check_room());
  while (!part_ || part_->prefix() < allowed(bytes)) {
    WISP_CHECK(start_transfers(bytes));
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    WISP_CHECK(handle_finished());
    WISP_CHECK(check_start());
    WISP_CHECK(give_up_stalled());
    if (!hooks_.progress(part_ ? part_->done_bytes() : 0, total())) {
      stop_all();
      return fail(Code::cancelled, "stopped; the same command goes on where this ended");
    }
    if (part_ && part_->prefix() >= allowed(bytes)) break;
    curl_multi_poll(multi_.get(), nullptr, 0, kPollMs, nullptr);
  }
  stop_all();
  return check_start();
}

Status Download::Transfers::start_transfers(std::uint64_t bytes) {
  if (now_ns() < resume_at_) return {};
  // One request finds out what the server has before others join it.
  const auto most = static_cast<std::size_t>(confirmed_ && !whole_only_ ? connections_ : 1);
  if (!part_) return transfers_.empty() ? start(0, 0, request_.size == 0 ? kFirstPiece : 0) : Status{};
  for (std::size_t piece = 0; piece < part_->pieces() && transfers_.size() < most; ++piece) {
    const std::uint64_t from = part_->start_of(piece) + part_->done_of(piece);
    const std::uint64_t end = std::min(part_->start_of(piece) + part_->length_of(piece), allowed(bytes));
    if (part_->start_of(piece) >= allowed(bytes)) break;
    if (from < end && !busy(piece)) WISP_CHECK(start(piece, from, end));
  }
  return {};
}

// `end` 0: the first piece of a file whose size the repository has told.
Status Download::Transfers::start(std::size_t piece, std::uint64_t from, std::uint64_t end) {
  std::vector<std::string> lines = {"Accept-Encoding: identity"};
  if (end == 0) end = std::min(request_.size, kFirstPiece);
  if (!whole_only_) {
    lines.push_back(fmt::format("Range: bytes={}-{}", from, end - 1));
    // The rest of the same bytes, or all of the new ones.
    if (part_ && part_->identity().validator.starts_with('"')) {
      lines.push_back("If-Range: " + part_->identity().validator);
    }
  }
  WISP_TRY(Request request, make_request(request_.url, request_.access, lines));
  Transfer& transfer = transfers_.emplace_back();
  transfer.owner = this;
  transfer.request = std::move(request);
  transfer.piece = piece;
  transfer.next = from;
  transfer.end = end;
  transfer.last_ns = now_ns();
  CURL* const easy = transfer.request.easy.get();
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
  if (curl_multi_add_handle(multi_.get(), easy) != CURLM_OK) return fail(Code::internal, "libcurl takes no transfer");
  return {};
}

std::size_t Download::Transfers::on_header(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.last_ns = now_ns();
  transfer.headers.read_line(std::string_view(bytes, size * count));
  return size * count;
}

std::size_t Download::Transfers::on_body(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.last_ns = now_ns();
  Transfers& all = *transfer.owner;
  if (!transfer.checked && !all.check_answer(transfer)) return 0;
  return all.take_bytes(transfer, {bytes, size * count}) ? size * count : 0;
}

bool Download::Transfers::refuse(Transfer& transfer, Verdict verdict, Code code, std::string message) {
  transfer.verdict = verdict;
  transfer.error = {code, fmt::format("{}: {}", printable(request_.shown, 400), message)};
  return false;
}

bool Download::Transfers::check_answer(Transfer& transfer) {
  transfer.checked = true;
  const Headers& headers = transfer.headers;
  long status = 0;
  curl_easy_getinfo(transfer.request.easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status == 416 && part_) return refuse(transfer, Verdict::restart, Code::io, "the file has become shorter");
  if (status != 200 && status != 206) {
    transfer.error = describe_status(status, request_.shown, !request_.access.token.empty());
    transfer.verdict = is_passing_status(status) ? Verdict::retry : Verdict::fatal;
    // Too many at once, perhaps.
    if (status == 429) connections_ = std::max(1, connections_ / 2);
    return false;
  }
  if (!headers.encoding.empty() && headers.encoding != "identity") {
    return refuse(
        transfer, Verdict::fatal, Code::unsupported,
        fmt::format("the server sends it compressed ({}), though it was asked not to", printable(headers.encoding)));
  }
  return status == 206 ? check_range(transfer) : check_whole(transfer);
}

bool Download::Transfers::check_range(Transfer& transfer) {
  const std::optional<ContentRange>& range = transfer.headers.range;
  if (!range || range->first != transfer.next || range->last >= transfer.end) {
    return refuse(transfer, Verdict::retry, Code::io,
                  fmt::format("the server was asked for bytes {}-{} and answers with '{}'", transfer.next,
                              transfer.end - 1, printable(transfer.headers.range_text)));
  }
  transfer.end = std::min(transfer.end, range->total);
  return check_identity(transfer, range->total);
}

bool Download::Transfers::check_whole(Transfer& transfer) {
  curl_off_t length = -1;
  curl_easy_getinfo(transfer.request.easy.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  const std::uint64_t size = length > 0 ? static_cast<std::uint64_t>(length) : request_.size;
  if (length == 0) return refuse(transfer, Verdict::fatal, Code::invalid_file, "the file is empty");
  if (size == 0) return refuse(transfer, Verdict::fatal, Code::unsupported, "the server does not tell the file's size");
  if (part_ && part_->done_bytes() > 0) {
    const std::string& known = part_->identity().validator;
    const bool same = size == part_->identity().size && (known.empty() || known == transfer.headers.validator());
    if (same) whole_only_ = true;
    return refuse(transfer, Verdict::restart, Code::io,
                  same ? "the server cannot go on in the middle of a file" : "the file has changed at its source");
  }
  if (!whole_only_) hooks_.say("the server has no ranges: one stream, which cannot go on after a break");
  whole_only_ = true;
  transfer.whole = true;
  transfer.end = size;
  return check_identity(transfer, size);
}

bool Download::Transfers::check_identity(Transfer& transfer, std::uint64_t size) {
  const Headers& headers = transfer.headers;
  if (!headers.commit.empty() && headers.commit.find_first_not_of("0123456789abcdef") == std::string::npos) {
    commit_ = headers.commit.substr(0, 64);
  }
  if (request_.size != 0 && size != request_.size) {
    return refuse(transfer, Verdict::fatal, Code::invalid_file,
                  fmt::format("the repository says {} bytes and the server {}", request_.size, size));
  }
  if (!headers.linked_size.empty() && headers.linked_size != std::to_string(size)) {
    return refuse(transfer, Verdict::fatal, Code::invalid_file,
                  fmt::format("it is said to have {} bytes (X-Linked-Size) and the server sends {}",
                              printable(headers.linked_size), size));
  }
  const std::string linked = headers.linked_sha256();
  if (!request_.sha256.empty() && !linked.empty() && linked != request_.sha256) {
    return refuse(transfer, Verdict::fatal, Code::invalid_file,
                  "its SHA-256 in the list of files and that of the server differ; it may be changing just now");
  }
  const std::string validator = headers.validator();
  if (part_) {
    const FileIdentity& known = part_->identity();
    const bool other = size != known.size ||
                       (!validator.empty() && !known.validator.empty() && validator != known.validator) ||
                       (!linked.empty() && !known.sha256.empty() && linked != known.sha256);
    if (other) return refuse(transfer, Verdict::restart, Code::io, "the file has changed at its source");
    confirmed_ = true;
    return true;
  }
  Result<PartFile> part = PartFile::create(request_.path, {.source = request_.source,
                                                           .size = size,
                                                           .sha256 = request_.sha256.empty() ? linked : request_.sha256,
                                                           .validator = validator});
  if (!part) {
    transfer.verdict = Verdict::fatal;
    transfer.error = std::move(part).error();
    return false;
  }
  part_ = *std::move(part);
  confirmed_ = true;
  if (Status room = check_room(); !room) {
    transfer.verdict = Verdict::fatal;
    transfer.error = std::move(room).error();
    return false;
  }
  return true;
}

bool Download::Transfers::take_bytes(Transfer& transfer, std::span<const char> bytes) {
  received_ += bytes.size();
  // A server that sends more than it was asked for: what is right of it is taken.
  if (bytes.size() > transfer.end - transfer.next)
    bytes = bytes.first(static_cast<std::size_t>(transfer.end - transfer.next));
  while (!bytes.empty()) {
    // A stream, and the first request, may cross pieces.
    const auto piece = static_cast<std::size_t>(transfer.next / part_->piece_bytes());
    const std::uint64_t room = part_->length_of(piece) - part_->done_of(piece);
    const std::span<const char> now =
        bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), room)));
    if (now.empty()) return refuse(transfer, Verdict::fatal, Code::internal, "a piece came twice");
    if (Status written = part_->append(piece, now); !written) {
      transfer.verdict = Verdict::fatal;
      transfer.error = std::move(written).error();
      return false;
    }
    transfer.next += now.size();
    transfer.piece = piece;
    progress_ += now.size();
    bytes = bytes.subspan(now.size());
  }
  if (progress_ >= kProgress && !whole_only_) failures_ = 0;
  return true;
}

Status Download::Transfers::handle_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    void* user = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
    const auto found = std::ranges::find_if(transfers_, [&](const Transfer& one) { return &one == user; });
    if (found == transfers_.end()) continue;
    Transfer& transfer = *found;
    // An answer without a body was not looked at yet.
    if (code == CURLE_OK && !transfer.checked) check_answer(transfer);
    Verdict verdict = transfer.verdict;
    Error error = transfer.error;
    // A server that promised more than it was asked for has still sent all that was.
    const bool all_there = transfer.checked && transfer.next >= transfer.end;
    if (verdict == Verdict::fine && code != CURLE_OK && !all_there) {
      verdict = is_passing(code) ? Verdict::retry : Verdict::fatal;
      error = {Code::io, fmt::format("cannot fetch {}: {}", printable(request_.shown, 400),
                                     describe_curl(code, transfer.request.errors.get()))};
    } else if (verdict == Verdict::fine && !all_there) {
      verdict = Verdict::retry;
      error = {Code::io, fmt::format("{}: the server sent less than it promised", printable(request_.shown, 400))};
    }
    WISP_CHECK(judge(transfer, verdict, std::move(error)));
    if (transfers_.empty()) break;  // it all begins anew
  }
  return {};
}

// Ends the transfer, and draws the conclusions.
Status Download::Transfers::judge(Transfer& transfer, Verdict verdict, Error error) {
  const auto wait = transfer.headers.retry_after;
  curl_multi_remove_handle(multi_.get(), transfer.request.easy.get());
  transfers_.remove_if([&](const Transfer& one) { return &one == &transfer; });
  switch (verdict) {
    case Verdict::fine: return {};
    case Verdict::retry: return failed(std::move(error), wait);
    case Verdict::restart: return restart(error.message);
    case Verdict::fatal: break;
  }
  stop_all();
  // Bytes that turned out to be of something else are of no use; those of a disk that is full are.
  if (error.code == Code::invalid_file) {
    part_.reset();
    PartFile::discard(request_.path);
  }
  return std::unexpected(std::move(error));
}

Status Download::Transfers::give_up_stalled() {
  const std::uint64_t now = now_ns();
  for (Transfer& transfer : transfers_) {
    if (now - transfer.last_ns <= in_ns(request_.patience.stall)) continue;
    const bool all_there = transfer.checked && transfer.next >= transfer.end;
    return judge(transfer, all_there ? Verdict::fine : Verdict::retry,
                 {Code::io, fmt::format("{}: nothing came for {:.1f} s", printable(request_.shown, 400),
                                        static_cast<double>(request_.patience.stall.count()) / 1000)});
  }
  return {};
}

Status Download::Transfers::failed(Error error, std::optional<std::chrono::milliseconds> wait) {
  // A stream that broke begins anew.
  if (whole_only_ && part_) {
    stop_all();
    part_.reset();
    PartFile::discard(request_.path);
    confirmed_ = false;
  }
  // Connections that break together are one failure.
  if (now_ns() < resume_at_) return {};
  progress_ = 0;
  if (++failures_ > request_.patience.retries) {
    stop_all();
    error.message += fmt::format("; given up after {} tries", failures_);
    if (part_ && part_->done_bytes() > 0) error.message += ", and the same command goes on where this ended";
    return std::unexpected(std::move(error));
  }
  auto pause = request_.patience.before_retry(failures_);
  if (wait) pause = std::max(pause, *wait);
  if (pause > request_.patience.most_wait) {
    stop_all();
    return fail(error.code, "{}; it asks to wait {} s", error.message, pause.count() / 1000);
  }
  hooks_.say(fmt::format("{}; trying again in {:.1f} s", error.message, static_cast<double>(pause.count()) / 1000));
  resume_at_ = now_ns() + in_ns(pause);
  return {};
}

Status Download::Transfers::restart(const std::string& why) {
  stop_all();
  if (++restarts_ > kMostRestarts) {
    part_.reset();
    PartFile::discard(request_.path);
    return fail(Code::io, "{}, again and again; given up", why);
  }
  hooks_.say(fmt::format("{}; starting over", why));
  part_.reset();
  PartFile::discard(request_.path);
  resumed_ = 0;
  confirmed_ = false;
  start_checked_ = false;
  return {};
}

Status Download::Transfers::check_room() const {
  if (!part_) return {};
  struct statvfs disk = {};
  const std::string folder = request_.path.substr(0, request_.path.rfind('/'));
  if (::statvfs(folder.c_str(), &disk) != 0) return {};
  const std::uint64_t room = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  const std::uint64_t needed = total() - part_->done_bytes();
  if (needed <= room) return {};
  return fail(Code::device,
              "{} has {} more to come and the disk with {} has room for {}; wisp rm makes room, "
              "XDG_CACHE_HOME names another disk",
              printable(request_.shown, 400), format_bytes(needed), printable(folder, 400), format_bytes(room));
}

// A web page that says "not found" with status 200 is the most common of all wrong files: its first bytes show it.
Status Download::Transfers::check_start() {
  std::array<std::byte, 4> magic{};
  if (start_checked_ || !part_ || part_->prefix() < std::min<std::uint64_t>(magic.size(), total())) return {};
  if (total() >= magic.size()) WISP_CHECK(part_->read(0, magic));
  const std::string_view text(reinterpret_cast<const char*>(magic.data()), magic.size());
  start_checked_ = text == "GGUF";
  if (start_checked_) return {};
  stop_all();
  part_.reset();
  PartFile::discard(request_.path);
  return fail(Code::invalid_file, "{} is not a GGUF file: it starts with '{}'{}", printable(request_.shown, 400),
              printable(text), text.starts_with('<') ? ", so it is a web page" : "");
}

Result<Fetched> Download::Transfers::finish() {
  if (!part_ || part_->prefix() != total()) return fail(Code::internal, "the file is not whole");
  const FileIdentity identity = part_->identity();
  const auto remove = [&] {
    part_.reset();
    PartFile::discard(request_.path);
  };
  WISP_TRY(const std::string hash, sha256_of_file(PartFile::part_path(request_.path), [&](std::uint64_t done) {
             return hooks_.checking(done, identity.size);
           }));
  const std::string& expected = request_.sha256.empty() ? identity.sha256 : request_.sha256;
  if (!expected.empty() && hash != expected) {
    remove();
    return fail(Code::invalid_file,
                "{}: its SHA-256 is {} and should be {}; it was damaged on the way, or changed at its source, and is "
                "removed",
                printable(request_.shown, 400), hash, expected);
  }
  WISP_CHECK(part_->sync());
  WISP_CHECK(part_->finish());
  return Fetched{.size = identity.size,
                 .sha256 = hash,
                 .sha256_known = !expected.empty(),
                 .etag = identity.validator,
                 .commit = commit_};
}

Download::Download(DownloadRequest request, DownloadHooks hooks)
    : transfers_(std::make_unique<Transfers>(std::move(request), std::move(hooks))) {}
Download::~Download() = default;
Status Download::fetch(std::uint64_t bytes) { return transfers_->fetch(bytes); }
Result<Fetched> Download::finish() { return transfers_->finish(); }
std::uint64_t Download::size() const { return transfers_->total(); }
std::uint64_t Download::resumed_bytes() const { return transfers_->resumed_; }
std::uint64_t Download::received_bytes() const { return transfers_->received_; }
Status Download::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (!transfers_->part_) return fail(Code::internal, "nothing was fetched");
  return transfers_->part_->read(offset, out);
}

}  // namespace wisp::hub
