// LessonPlayer — performs a lesson on the app's machine, a part at a click. The notation and its claims are
// emu/lessons'.
//
// Interface: open() makes the lesson's machine; go_on() begins the next part; update() once a frame carries
// it on (runs and journeys take many frames). What `show` asks for is handed to the window through
// take_shows(). Invariants: a reader may wander off: the next part first goes back to where the last one
// ended; a run that was stopped by hand waits for another click; nothing here computes anything about the
// machine.
#pragma once
#include <optional>
#include "emu/lessons/lesson.h"
#include "ui/model/engine.h"

namespace vitrine::ui {

class LessonPlayer {
public:
    explicit LessonPlayer(Engine& engine) : engine_(engine) {}
    Expected<void> open(const std::string& name_or_path);
    Expected<void> again();
    void close() { lesson_.reset(); }
    const emu::Lesson* lesson() const { return lesson_ ? &*lesson_ : nullptr; }
    /// The part that is next, or under way.
    std::size_t part() const { return part_; }
    bool working() const { return working_; }
    bool finished() const { return lesson_ && part_ >= directives_end(); }
    void go_on();
    void update();

    struct Outcome {
        const emu::Directive* directive;
        bool good = true;
        std::string text; ///< why not
    };
    /// Of each part that was begun.
    const std::vector<std::vector<Outcome>>& outcomes() const { return outcomes_; }
    struct Show {
        std::string panel, argument;
    };
    std::vector<Show> take_shows() { return std::exchange(shows_, {}); }

private:
    std::size_t directives_end() const;
    bool perform(const emu::Directive& directive);
    void done(bool good = true, std::string text = {});
    void begin_watch();

    Engine& engine_;
    std::optional<emu::Lesson> lesson_;
    std::string opened_as_;
    std::size_t part_ = 0, next_ = 0; ///< directive of the part
    bool working_ = false, waiting_ = false, returning_ = false;
    std::optional<u32> place_; ///< the breakpoint of a run that is under way
    u64 wanted_step_ = 0, from_step_ = 0, from_console_ = 0;
    u64 ended_at_ = 0; ///< where the last part left the machine
    u64 generation_ = 0;
    std::vector<std::vector<Outcome>> outcomes_;
    std::vector<Show> shows_;
};

} // namespace vitrine::ui
