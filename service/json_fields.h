#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::service {

/// The fields of a JSON object from outside. read() leaves its target as it is where the field is
/// missing or wrong; what is wrong is added to the mistakes: "schedule.start has to be …".
/// Borrows the object and the mistakes.
class JsonFields {
 public:
  JsonFields(const boost::json::object& object, std::string path,
             std::vector<std::string>& mistakes);

  void read(std::string_view name, bool& into);
  void read(std::string_view name, unsigned& into, unsigned least, unsigned most);
  void read(std::string_view name, double& into, double least, double most);
  /// A string that `parse` makes something of, giving std::optional. `what` it has to be.
  template <class T, class Parse>
  void read(std::string_view name, T& into, const Parse& parse, std::string_view what) {
    const auto text = string(name, what);
    if (!text) return;
    auto parsed = parse(*text);
    if (parsed)
      into = *std::move(parsed);
    else
      refuse(name, what);
  }
  /// Calls `use` with the object of that name, when there is one; null is as none.
  void with_object(std::string_view name, const std::function<void(JsonFields&)>& use);
  /// Whatever it is, it does not count.
  void ignore(std::string_view name) { known_.push_back(name); }
  [[nodiscard]] const boost::json::value* value(std::string_view name);
  void refuse(std::string_view name, std::string_view what);

  /// Adds each field that nobody has asked for. with_object() does so for its object.
  void finish();
  /// Whether nothing was found wrong in it so far.
  [[nodiscard]] bool is_fine() const noexcept { return mistakes_.size() == mistakes_before_; }

 private:
  std::optional<std::string_view> string(std::string_view name, std::string_view what);

  const boost::json::object& object_;
  std::string path_;
  std::vector<std::string>& mistakes_;
  std::size_t mistakes_before_;
  std::vector<std::string_view> known_;
};

/// The mistakes as one line.
[[nodiscard]] std::string joined(const std::vector<std::string>& mistakes);

}  // namespace sluice::service
