// What is seldom there, in eight bytes where it is not: a thousand units are kept in memory, each
// with some hundred keys of which its file gives ten.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace husk {

// std::optional with its value on the heap.
template <typename T>
class Boxed {
  public:
    Boxed() = default;
    Boxed(T value) : value_(std::make_unique<T>(std::move(value))) {}
    Boxed(const Boxed& other) : value_(other ? std::make_unique<T>(*other) : nullptr) {}
    Boxed(Boxed&&) = default;
    Boxed& operator=(const Boxed& other) { return *this = Boxed(other); }
    Boxed& operator=(Boxed&&) = default;

    explicit operator bool() const { return has_value(); }
    bool has_value() const { return value_ != nullptr; }
    T& operator*() { return *value_; }
    const T& operator*() const { return *value_; }
    T* operator->() { return value_.get(); }
    const T* operator->() const { return value_.get(); }
    void reset() { value_.reset(); }

    friend bool operator==(const Boxed& a, const Boxed& b) {
        return a && b ? *a == *b : bool(a) == bool(b);
    }

  private:
    std::unique_ptr<T> value_;
};

// std::vector, as far as lists of a unit's file need it.
template <typename T>
class List {
  public:
    using Items = std::vector<T>;
    using value_type = T;
    using iterator = typename Items::iterator;
    using const_iterator = typename Items::const_iterator;

    List() = default;
    List(std::initializer_list<T> items) : List(Items(items)) {}
    List(Items items) {
        if (!items.empty()) items_ = std::move(items);
    }

    operator const Items&() const { return items_ ? *items_ : kNone; }
    bool empty() const { return size() == 0; }
    size_t size() const { return Get().size(); }
    const_iterator begin() const { return Get().begin(); }
    const_iterator end() const { return Get().end(); }
    iterator begin() { return items_ ? items_->begin() : iterator(); }
    iterator end() { return items_ ? items_->end() : iterator(); }
    auto rbegin() const { return Get().rbegin(); }
    auto rend() const { return Get().rend(); }
    const T& operator[](size_t index) const { return Get()[index]; }
    T& operator[](size_t index) { return Own()[index]; }
    const T& front() const { return Get().front(); }
    const T& back() const { return Get().back(); }
    T& back() { return Own().back(); }

    void clear() { items_.reset(); }
    void push_back(const T& item) { Own().push_back(item); }
    void push_back(T&& item) { Own().push_back(std::move(item)); }
    template <typename Iterator>
    void insert(iterator before, Iterator first, Iterator last) {
        items_ ? void(items_->insert(before, first, last)) : Own().assign(first, last);
    }
    void erase(iterator first, iterator last) {
        if (!items_) return;
        items_->erase(first, last);
        if (items_->empty()) clear();
    }
    void erase(iterator item) { erase(item, item + 1); }
    void pop_back() { erase(end() - 1); }
    template <typename Predicate>
    friend size_t erase_if(List& list, Predicate gone) {
        return list.items_ ? std::erase_if(*list.items_, gone) : 0;
    }

    friend bool operator==(const List& a, const List& b) { return a.Get() == b.Get(); }

  private:
    static constexpr Items kNone{};

    const Items& Get() const { return *this; }
    Items& Own() {
        if (!items_) items_ = Items();
        return *items_;
    }

    Boxed<Items> items_;
};

// std::string.
class Text {
  public:
    Text() = default;
    Text(std::string text) {
        if (!text.empty()) text_ = std::move(text);
    }
    Text(const char* text) : Text(std::string(text)) {}

    operator const std::string&() const { return text_ ? *text_ : kNone; }
    operator std::string_view() const { return Get(); }
    bool empty() const { return !text_; }
    void clear() { text_.reset(); }
    Text& operator+=(std::string_view more) { return *this = Get() + std::string(more); }

    friend bool operator==(const Text& a, const Text& b) = default;
    friend bool operator==(const Text& a, const std::string& b) { return a.Get() == b; }
    friend bool operator==(const Text& a, const char* b) { return a.Get() == b; }

  private:
    static const std::string kNone;

    const std::string& Get() const { return *this; }

    Boxed<std::string> text_;
};

}  // namespace husk
