// See demangle.h. The demangler is the C++ runtime's own (Itanium C++ ABI, 5.1).
#include "emu/symbols/demangle.h"
#include <cstdlib>
#include <cxxabi.h>
#include <memory>

namespace vitrine::emu {

std::string readable_symbol(const std::string& name) {
    if (!name.starts_with("_Z")) return name;
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> raw(
        abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
    if (status != 0 || !raw) return name;
    std::string text = raw.get();
    static constexpr std::string_view anonymous = "(anonymous namespace)::";
    for (std::size_t at; (at = text.find(anonymous)) != std::string::npos;) text.erase(at, anonymous.size());
    // The parameter list starts at the first parenthesis outside template arguments.
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '<')
            ++depth;
        else if (text[i] == '>')
            --depth;
        else if (text[i] == '(' && depth == 0 && i > 0) {
            text.resize(i);
            break;
        }
    }
    return text;
}

std::string plain_symbol(const std::string& readable) {
    std::string text = readable;
    if (!readable.contains("operator")) {
        text.clear();
        int depth = 0;
        for (char c : readable) {
            if (c == '<') ++depth;
            if (depth == 0) text += c;
            if (c == '>') --depth;
        }
        if (depth != 0 || text.empty()) text = readable; // no brackets in the sense of templates
        if (const auto space = text.rfind(' '); space != std::string::npos) text.erase(0, space + 1);
    }
    static constexpr std::string_view Namespace = "kernel::";
    if (text.starts_with(Namespace)) text.erase(0, Namespace.size());
    return text;
}

std::string_view last_component(std::string_view readable) {
    const std::size_t at = readable.rfind("::");
    return at == std::string_view::npos || readable.find('<') != std::string_view::npos
               ? readable
               : readable.substr(at + 2);
}

} // namespace vitrine::emu
