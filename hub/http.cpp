#include "hub/http.h"

#include <thread>

#include "base/clock.h"
#include "hub/curl_handle.h"

namespace wisp::hub {
namespace {

constexpr std::size_t kMostDocument = std::size_t{32} << 20;
constexpr long kMostRedirects = 8;

HeaderList add_header(HeaderList list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) return list;
  static_cast<void>(list.release());  // a part of `longer` now
  return HeaderList(longer);
}

// The address in <...> of a Link header's entry with rel="next".
std::string next_link(std::string_view text) {
  while (true) {
    const std::size_t open = text.find('<'), close = text.find('>');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
    const std::string_view rest = text.substr(close + 1);
    const std::size_t following = rest.find('<');
    if (rest.substr(0, following).find("rel=\"next\"") != std::string_view::npos) {
      return std::string(text.substr(open + 1, close - open - 1));
    }
    if (following == std::string_view::npos) return {};
    text = rest.substr(following);
  }
}

struct Document {
  Answer answer;
  std::optional<std::chrono::milliseconds> retry_after;
  bool too_long = false;
  std::uint64_t last_ns = 0;
  std::uint64_t stall_ns = 0;
  const std::function<bool()>* keep_going = nullptr;
  bool stopped = false, stalled = false;
};

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& document = *static_cast<Document*>(user);
  document.last_ns = now_ns();
  document.too_long = document.answer.body.size() + size * count > kMostDocument;
  if (document.too_long) return 0;
  document.answer.body.append(bytes, size * count);
  return size * count;
}

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& document = *static_cast<Document*>(user);
  document.last_ns = now_ns();
  const std::string_view line(bytes, size * count);
  if (const auto link = header_value(line, "link")) document.answer.next = next_link(*link);
  if (const auto commit = header_value(line, "x-repo-commit")) document.answer.commit = *commit;
  if (const auto wait = header_value(line, "retry-after")) document.retry_after = parse_retry_after(*wait);
  return size * count;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& document = *static_cast<Document*>(user);
  document.stopped = !(*document.keep_going)();
  document.stalled = now_ns() - document.last_ns > document.stall_ns;
  return document.stopped || document.stalled ? 1 : 0;
}

struct Tried {
  Document document;
  CURLcode code = CURLE_OK;
  long status = 0;
  std::string trouble;
};

Result<Tried> try_once(const std::string& url, const Access& access, const Patience& patience,
                       const std::function<bool()>& keep_going) {
  WISP_TRY(const Request request, make_request(url, access, {"Accept: application/json"}));
  CURL* const easy = request.easy.get();
  Tried tried;
  tried.document.last_ns = now_ns();
  tried.document.stall_ns = static_cast<std::uint64_t>(patience.stall.count()) * 1'000'000;
  tried.document.keep_going = &keep_going;
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");  // whatever libcurl can undo
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &tried.document);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &tried.document);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &tried.document);
  tried.code = curl_easy_perform(easy);
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &tried.status);
  tried.trouble = tried.document.stalled ? "no answer came" : describe_curl(tried.code, request.errors.get());
  return tried;
}

}  // namespace

Result<Request> make_request(const std::string& url, const Access& access, const std::vector<std::string>& headers) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  Request request{.easy = EasyHandle(started == CURLE_OK ? curl_easy_init() : nullptr),
                  .headers = {},
                  .errors = std::make_unique<char[]>(CURL_ERROR_SIZE)};
  CURL* const easy = request.easy.get();
  if (easy == nullptr) return fail(Code::internal, "libcurl does not start");
  for (const std::string& line : headers) request.headers = add_header(std::move(request.headers), line);
  // libcurl drops this line of its own accord where a redirect leads to another host, port or protocol.
  if (!access.token.empty()) {
    request.headers = add_header(std::move(request.headers), "Authorization: Bearer " + access.token);
  }
  if (curl_easy_setopt(easy, CURLOPT_URL, url.c_str()) != CURLE_OK)
    return fail(Code::internal, "libcurl has no memory");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request.headers.get());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request.errors.get());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "wisp/" WISP_VERSION);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kMostRedirects);
  // Each range has a connection of its own, so streams within one would only share its window.
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  const bool secure = url.starts_with("https:");
  const bool known = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
                     curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https") == CURLE_OK;
  if (!known) return fail(Code::unsupported, "this libcurl is too old (7.85 or newer is needed)");
  return request;
}

std::string describe_curl(CURLcode code, const char* errors) {
  switch (code) {
    case CURLE_TOO_MANY_REDIRECTS: return fmt::format("it redirects more than {} times", kMostRedirects);
    case CURLE_UNSUPPORTED_PROTOCOL:
      if (std::string_view(errors).find("HTTP/0.9") != std::string_view::npos) return "its answer is not HTTP";
      return "it redirects to something other than http or https, or away from https";
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR: return "the connection was cut";
    default: break;
  }
  std::string text = errors[0] != '\0' ? errors : curl_easy_strerror(code);
  if (text.find("://") != std::string::npos || text.find('?') != std::string::npos) text = curl_easy_strerror(code);
  return printable(text, 200);
}

bool is_passing(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_ABORTED_BY_CALLBACK: return true;
    default: return false;
  }
}

Result<Answer> get_document(const std::string& url, const Access& access, const Patience& patience,
                            const std::function<bool()>& keep_going) {
  const std::string shown = printable(std::string_view(url).substr(0, url.find('?')), 400);
  for (int failures = 1;; ++failures) {
    WISP_TRY(Tried tried, try_once(url, access, patience, keep_going));
    if (tried.document.stopped) return fail(Code::cancelled, "stopped");
    if (tried.document.too_long)
      return fail(Code::limit, "{}: the answer has more than {}", shown, format_bytes(kMostDocument));
    if (tried.code == CURLE_OK && tried.status == 200) return std::move(tried.document.answer);
    Error error = tried.code == CURLE_OK ? describe_status(tried.status, shown, !access.token.empty())
                                         : Error{Code::io, fmt::format("cannot reach {}: {}", shown, tried.trouble)};
    const bool passing = tried.code == CURLE_OK ? is_passing_status(tried.status) : is_passing(tried.code);
    if (!passing || failures > patience.retries) return std::unexpected(std::move(error));
    auto wait = patience.before_retry(failures);
    if (tried.document.retry_after) wait = std::max(wait, *tried.document.retry_after);
    if (wait > patience.most_wait) {
      return fail(Code::io, "{}; it asks to wait {} s", error.message, wait.count() / 1000);
    }
    const std::uint64_t until = now_ns() + static_cast<std::uint64_t>(wait.count()) * 1'000'000;
    while (now_ns() < until) {
      if (!keep_going()) return fail(Code::cancelled, "stopped");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
}

}  // namespace wisp::hub
