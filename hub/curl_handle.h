// What every request by libcurl has in common. Only http.cpp and download.cpp see it.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <vector>

#include "hub/http.h"

namespace wisp::hub {

struct CleanUpEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using EasyHandle = std::unique_ptr<CURL, CleanUpEasy>;
struct FreeHeaders {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeHeaders>;

// A GET of `url` with the lines of `headers` and the token; `errors` has CURL_ERROR_SIZE bytes. Both lists must live as
// long as the transfer.
struct Request {
  EasyHandle easy;
  HeaderList headers;
  std::unique_ptr<char[]> errors;
};
Result<Request> make_request(const std::string& url, const Access& access, const std::vector<std::string>& headers);

// What ended a transfer, as a sentence; never the address, which may hold a signature.
std::string describe_curl(CURLcode code, const char* errors);
// Whether trying again may help.
bool is_passing(CURLcode code);

}  // namespace wisp::hub
