// Dialogs: go to and run to with symbol completion, files for record and replay, the key table, long messages.
#pragma once
#include "ui/shell/context.h"

namespace vitrine::ui {

class Dialogs {
  public:
    void draw(Context& context);

  private:
    void go_to(Context& context, bool run);
    void file(Context& context, bool record);
    void keys(Context& context);
    void message(Context& context);
    void complete(Context& context);
    void close(Context& context);

    char text_[256] = {};
    std::string error_;
    std::string completed_for_;
    std::vector<std::string> matches_;
    std::string shown_message_;
};

} // namespace vitrine::ui
