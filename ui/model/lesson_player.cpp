// LessonPlayer: see lesson_player.h.
#include "ui/model/lesson_player.h"
#include <fmt/format.h>
#include "emu/lessons/expect.h"

namespace vitrine::ui {

using emu::Directive;

Expected<void> LessonPlayer::open(const std::string& name_or_path) {
    auto lesson = emu::load_lesson(name_or_path);
    if (!lesson) return std::unexpected(lesson.error());
    if (auto ok = engine_.new_machine(lesson->machine); !ok) return ok;
    lesson_ = std::move(*lesson), opened_as_ = name_or_path;
    part_ = next_ = 0, working_ = waiting_ = returning_ = false, place_.reset();
    outcomes_.clear(), shows_.clear();
    ended_at_ = from_step_ = from_console_ = 0, generation_ = engine_.generation();
    engine_.say(fmt::format("lesson: {}", lesson_->title));
    return {};
}

Expected<void> LessonPlayer::again() { return open(std::string(opened_as_)); }

std::size_t LessonPlayer::directives_end() const {
    std::size_t end = lesson_->parts.size();
    while (end > 0 && lesson_->parts[end - 1].directives.empty()) --end;
    return end;
}

void LessonPlayer::go_on() {
    if (!lesson_ || finished() || engine_.travelling()) return;
    if (engine_.running()) {
        if (working_) return;
        engine_.pause(); // whoever has wandered off is running
    }
    if (generation_ != engine_.generation()) {
        // A restart: the lesson begins again with it.
        generation_ = engine_.generation();
        part_ = next_ = 0, ended_at_ = 0, working_ = waiting_ = false, place_.reset(), outcomes_.clear();
    }
    if (!working_) {
        next_ = 0;
        outcomes_.resize(part_);
        outcomes_.emplace_back();
        working_ = true, waiting_ = false;
        // Whoever has wandered off is brought back.
        if (engine_.machine().steps() != ended_at_) {
            if (ended_at_ > engine_.last_step() || ended_at_ < engine_.first_step()) {
                working_ = false;
                return engine_.say(
                    "this run has become another one than the lesson's: begin the lesson again", true);
            }
            if (part_ > 0 || engine_.machine().steps() > 0) engine_.seek(ended_at_), returning_ = true;
        }
    } else if (waiting_ && place_) {
        engine_.run(); // it was stopped on its way
    }
}

void LessonPlayer::done(bool good, std::string text) {
    const auto& directives = lesson_->parts[part_].directives;
    outcomes_[part_].push_back({&directives[next_], good, std::move(text)});
    waiting_ = false, place_.reset(), ++next_;
}

void LessonPlayer::begin_watch() {
    from_step_ = engine_.machine().steps(), from_console_ = engine_.machine().serial_total();
}

/// True when it is over already.
bool LessonPlayer::perform(const Directive& directive) {
    switch (directive.kind) {
    case Directive::Kind::RunTo: {
        begin_watch();
        auto id = engine_.run_to_place(directive.place, directive.text);
        if (!id) return done(false, id.error().message), true;
        place_ = *id;
        return false;
    }
    case Directive::Kind::Step:
        begin_watch();
        wanted_step_ = engine_.machine().steps() + directive.count;
        {
            emu::BreakSpec place;
            place.kind = emu::BreakKind::Step, place.address = wanted_step_;
            engine_.run_to(std::move(place), directive.source);
        }
        return false;
    case Directive::Kind::Type:
        begin_watch();
        engine_.input(emu::SerialInput{directive.text});
        return done(), true;
    case Directive::Kind::Show: shows_.push_back({directive.text, directive.argument}); return done(), true;
    case Directive::Kind::Mark: engine_.mark(directive.text); return done(), true;
    case Directive::Kind::Back: {
        for (const Engine::Mark& mark : engine_.marks())
            if (!directive.has_place && mark.text == directive.text) {
                engine_.seek(mark.step);
                return false;
            }
        if (!directive.has_place) return done(false, "that mark is not there any more"), true;
        engine_.back_to_place(directive.place, directive.text);
        return false;
    }
    case Directive::Kind::Expect: {
        const std::string found =
            emu::check_expectation(directive.text, {engine_.machine(), engine_.debugger(), engine_.events(),
                                                    from_step_, from_console_});
        return done(found.empty(), found), true;
    }
    }
    return true;
}

void LessonPlayer::update() {
    if (!working_ || engine_.running() || engine_.travelling()) return;
    if (generation_ != engine_.generation()) {
        working_ = false;
        return;
    }
    if (std::exchange(returning_, false) && engine_.machine().steps() != ended_at_) {
        working_ = false;
        return;
    }
    const auto& directives = lesson_->parts[part_].directives;
    if (waiting_) {
        // What was under way has come to rest.
        const Directive& directive = directives[next_];
        if (place_ && !engine_.place_met(*place_)) {
            if (engine_.state() != Engine::State::Ended) return; // stopped by hand: a click goes on
            engine_.remove_breakpoint(*place_);
            done(false, "the machine has ended");
        } else if (directive.kind == Directive::Kind::Back && engine_.message_is_error()) {
            done(false, engine_.message());
        } else {
            done();
        }
    }
    while (next_ < directives.size()) {
        if (!perform(directives[next_])) {
            waiting_ = true;
            return;
        }
    }
    working_ = false, ended_at_ = engine_.machine().steps();
    ++part_;
}

} // namespace vitrine::ui
