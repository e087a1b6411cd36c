#include "service/webhook.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <memory>
#include <mutex>

namespace sluice::service {
namespace {

struct CurlDeleter {
  void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using Handle = std::unique_ptr<CURL, CurlDeleter>;
using HeaderList = std::unique_ptr<curl_slist, CurlDeleter>;

std::size_t throw_away(char*, std::size_t size, std::size_t count, void*) { return size * count; }

int stop_if_asked(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::stop_token*>(stop)->stop_requested() ? 1 : 0;
}

void append(HeaderList& list, const std::string& line) {
  list.reset(curl_slist_append(list.release(), line.c_str()));
}

HeaderList headers_of(const WebhookPost& post) {
  HeaderList list;
  append(list, "Content-Type: application/json");
  append(list, "Expect:");  // no 100-continue
  for (const auto& [name, value] : post.headers) {
    append(list, value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
  }
  return list;
}

Handle prepare(const WebhookPost& post, const curl_slist* headers, const std::stop_token& stop) {
  Handle handle(curl_easy_init());
  CURL* const curl = handle.get();
  if (curl == nullptr) return handle;
  const auto timeout_ms = static_cast<long>(post.timeout.count());
  curl_easy_setopt(curl, CURLOPT_URL, post.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "sluice");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(post.body.size()));
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post.body.data());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, throw_away);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, stop_if_asked);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &stop);
  return handle;
}

WebhookResult judge(long status) {
  if (status >= 200 && status < 300) return {};
  if (status >= 300 && status < 400) {
    return {.trouble =
                fmt::format("it answered {}: write the address that it redirects to", status)};
  }
  constexpr long too_many = 429;
  return {.trouble = fmt::format("it answered {}", status),
          .may_retry = status == too_many || status >= 500};
}

}  // namespace

WebhookResult post_webhook(const WebhookPost& post, const std::stop_token& stop) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  const HeaderList headers = headers_of(post);
  const Handle handle = prepare(post, headers.get(), stop);
  if (!handle) return {.trouble = "libcurl has no memory"};
  const CURLcode code = curl_easy_perform(handle.get());
  if (code != CURLE_OK) {
    // Such as a certificate that is not trusted stays so.
    const bool is_lasting = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_URL_MALFORMAT ||
                            code == CURLE_UNSUPPORTED_PROTOCOL;
    return {.trouble = curl_easy_strerror(code), .may_retry = !is_lasting};
  }
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  return judge(status);
}

}  // namespace sluice::service
