// Source text — lines of the sources that symbols name, from the tree that the program was built in, or from
// where it is installed. Read once, at the first question; a file that is not there has no lines.
#pragma once
#include <map>
#include <string>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::ui {

class SourceText {
public:
    /// Line `number`, counted from 1, of "guest/kernel/sched/core.cpp" or an absolute path; "" when there is
    /// none.
    const std::string& line(const std::string& file, unsigned number);

private:
    std::map<std::string, std::vector<std::string>> files_;
};

} // namespace vitrine::ui
