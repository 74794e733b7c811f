// `vitrine` — parses the command line, then opens the app or runs headless. docs/cli.md describes every
// option.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include "emu/cli/app.h"
#include "emu/cli/headless.h"
#include "emu/cli/lesson_command.h"
#include "emu/cli/recording_command.h"
#include "emu/inspect/inspect.h"

namespace {

void set_up_log(const std::string& level) {
    auto logger = spdlog::stderr_logger_mt("vitrine");
    logger->set_pattern("vitrine: %l: %v");
    logger->set_level(spdlog::level::from_str(level == "warn" ? "warning" : level));
    spdlog::set_default_logger(std::move(logger));
}

/// What was printed has arrived, or it is said that it has not.
int printed(int status) {
    errno = 0;
    if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return status;
    const char* why = errno ? std::strerror(errno) : "an error";
    vitrine::emu::cli::report_error(
        vitrine::bad_input(fmt::format("the output could not be written: {}", why)).error());
    return status == 0 ? static_cast<int>(vitrine::Exit::BadInput) : status;
}

} // namespace

int main(int argc, char** argv) {
    using namespace vitrine;
    if (argc > 1 && emu::cli::is_command(argv[1])) {
        set_up_log("warn");
        return printed(emu::cli::run_command(std::vector<std::string>(argv + 1, argv + argc)));
    }
    auto parsed = emu::cli::parse(argc, argv);
    if (!parsed) {
        emu::cli::report_error(parsed.error());
        return static_cast<int>(parsed.error().status);
    }
    if (!parsed->help.empty()) {
        std::fputs(parsed->help.c_str(), stdout);
        return printed(0);
    }
    set_up_log(parsed->options.log_level);
    if (std::ranges::count(parsed->options.inspect, "help") != 0) {
        std::fputs(emu::inspect::help_text().c_str(), stdout);
        return printed(0);
    }
    if (parsed->options.lessons) return printed(emu::cli::list_lessons());
    if (parsed->options.lesson_check) return printed(emu::cli::check_lesson_command(parsed->options));
    if (!parsed->options.headless) {
        std::string why = "this build has no app";
#ifdef VITRINE_HAS_UI
        if (ui::display_available(why)) {
            if (parsed->options.needs_headless()) {
                emu::cli::report_error(
                    usage_error(
                        "--last, --who-wrote and the like, --gdb and --events need --headless; in the app, "
                        "a right click on an address asks who wrote it, and the timeline shows events")
                        .error());
                return static_cast<int>(Exit::Usage);
            }
            return ui::run(parsed->options);
        }
#endif
        if (!parsed->options.lesson.empty() || !parsed->options.ui_screenshot.empty()) {
            std::fprintf(stderr, "vitrine: no window: %s; %s\n", why.c_str(),
                         parsed->options.lesson.empty() ? "--ui-screenshot needs one"
                                                        : "a lesson needs one, or --check");
            return static_cast<int>(Exit::Usage);
        }
        std::fprintf(stderr, "vitrine: no window: %s; running headless on this terminal\n", why.c_str());
    }
    return printed(emu::cli::run_headless(parsed->options));
}
