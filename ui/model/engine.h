// Engine — drives one machine for the app: run, pause, step, run to, record, replay, restart.
//
// Interface: the app calls the verbs when a key or button says so, and frame() once per drawn frame; frame()
// lets the machine run for a bounded host time. Everything that reaches the guest goes through
// Machine::input().
//
// Pacing: while the guest boots it runs as fast as it can. From init on, virtual time keeps to real time by
// not running ahead (design.md §4), because a halted processor would otherwise jump hours ahead in a second.
// The machine never knows. Invariants: stops are exact (the machine's own run limits); nothing here changes
// what the guest computes.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <deque>
#include <span>
#include <string>
#include <vector>
#include "emu/cli/app.h"
#include "emu/cli/outputs.h"
#include "emu/debugger/debugger.h"
#include "emu/events/events.h"
#include "emu/machine.h"
#include "emu/net/network.h"
#include "emu/recorder/recorder.h"
#include "emu/recorder/replayer.h"
#include "emu/timeline/authors.h"
#include "emu/timeline/timeline.h"

namespace vitrine::ui {

class Engine {
public:
    static Expected<std::unique_ptr<Engine>> create(const AppOptions& options);
    ~Engine();

    emu::Machine& machine() { return *machine_; }
    const emu::Machine& machine() const { return *machine_; }

    enum class State : u8 { Paused, Running, Ended };
    State state() const { return state_; }
    bool running() const { return state_ == State::Running; }
    /// True while a running machine has nothing to do until a key arrives or real time passes.
    bool resting() const { return resting_; }
    /// One line: why the machine stands where it stands.
    const std::string& message() const { return message_; }
    bool message_is_error() const { return message_is_error_; }
    void say(std::string text, bool error = false) { message_ = std::move(text), message_is_error_ = error; }
    /// Counts stops, steps and restarts: what is shown must be read again when it changes.
    u64 stops() const { return stops_; }
    /// Counts machines: a restart or replay makes a new one.
    u64 generation() const { return generation_; }
    /// What the lamp says: a machine that waits is not one that has stopped, and a dead one is neither.
    enum class Light : u8 { Paused, Running, Idle, Halted, Panicked, PoweredOff, Ended, Fault };
    Light light() const;
    /// Steps of a second on the wall, the window's share included; 0 before there is a measurement.
    double steps_per_second() const { return steps_per_second_; }
    /// Virtual seconds of a second on the wall.
    double times_real() const { return times_real_; }

    void run();
    void pause();
    void step();
    void step_over(u64 next_instruction, bool is_call);
    void next_phase();
    /// Runs to a place once; any other stop forgets it. A step that has been run is gone to.
    void run_to(emu::BreakSpec place, const std::string& what);
    /// The same with a breakpoint that other stops leave; its number.
    Expected<u32> run_to_place(emu::BreakSpec place, const std::string& what);
    bool place_met(u32 id) const { return debugger_->find(id) == nullptr; }
    Expected<void> restart();
    /// Another machine, by options of the command line ("--memory", "64M").
    Expected<void> new_machine(const std::vector<std::string>& options);
    /// Recording starts at power-on: a machine that has run is restarted.
    Expected<void> record(const std::string& path);
    Expected<void> stop_recording();
    Expected<void> replay(const std::string& path);
    /// Writes the run of now, from power-on, as a recording (a journey: engine_travel.cpp).
    void save_recording(const std::string& path);
    bool recording() const { return recorder_ != nullptr; }
    bool replaying() const { return replayer_ != nullptr; }
    const std::string& recording_path() const { return recording_path_; }
    u64 replay_end() const { return replayer_ ? replayer_->end_step() : 0; }

    // Travel (engine_travel.cpp). A journey is performed by the next frame(); another one takes its place.
    void seek(u64 step);
    void step_back();
    void step_back_over(std::optional<u64> call);
    void run_back(); ///< to the previous breakpoint
    void back_to_place(const emu::BreakSpec& place, const std::string& what);
    void previous_phase();
    void cancel_journey();
    bool travelling() const { return travelling_now_ || journey_ != nullptr; }
    double journey_share() const { return journey_share_; }
    /// Makes the future of that branch the known one again and goes to where it was left; the present one
    /// becomes a branch.
    void return_to_branch(const std::string& name);
    /// Called between the parts of a journey: the machine may be read there, at a step on the way.
    void on_pause_of_journey(std::function<void()> sink) { pause_of_journey_ = std::move(sink); }
    /// "Who wrote this?": who wrote (or read) memory last before here; the machine stays. answer() holds the
    /// result.
    void ask_author(emu::Target target, bool write = true);
    /// Goes to where the answer happened and asks there: who before that?
    void ask_author_before();
    struct Answer {
        emu::Target target;
        bool write = true, found = false;
        std::string question, sentence;
        u64 step = 0; ///< the machine can go there: right before the access
    };
    const std::optional<Answer>& answer() const { return answer_; }
    void dismiss_answer() { answer_.reset(); }
    u64 first_step() const;
    u64 last_step() const;
    bool in_the_past() const;
    /// Of the whole known run, also of what lies ahead of a machine in the past.
    const std::vector<emu::Phase>& known_phases() const;
    const std::vector<emu::ModeChange>& known_modes() const;
    const emu::Timeline* timeline() const { return timeline_.get(); }

    /// What happened in the whole known run: noted while the machine runs.
    const emu::EventStore& events() const { return *events_; }
    /// The last virtual time of the known run.
    u64 last_time() const;
    /// Places of the run with a name, in order of their steps; they go with the machine.
    struct Mark {
        u64 step = 0, time = 0;
        std::string text;
    };
    const std::vector<Mark>& marks() const { return marks_; }
    void mark(std::string text); ///< where the machine stands
    void remove_mark(u64 step);

    /// The operator's hand at the CD drive: another disc, or (no path) none.
    Expected<void> change_medium(const std::string& path);
    bool has_cd_drive() const;
    /// Guest input; refused with a message while a recording is replayed.
    void input(const emu::InputEvent& event);
    // Breakpoints (engine_breakpoints.cpp): emu/debugger's, kept over restarts and replays.
    bool toggle_breakpoint(u64 linear); ///< true: set now
    bool breakpoint_at(u64 linear) const;
    /// The notation of docs/debugger.md; errors say what is wrong with it.
    Expected<void> add_breakpoint(std::string_view text);
    void remove_breakpoint(u32 id);
    void enable_breakpoint(u32 id, bool on);
    const emu::Debugger& debugger() const { return *debugger_; }
    /// A person's, without the app's own.
    std::span<const emu::Breakpoint> breakpoints() const { return debugger_->persons(); }
    const std::optional<emu::Hit>& last_hit() const { return debugger_->last_hit(); }
    /// What log points printed, the last lines of it.
    const std::deque<std::string>& log_lines() const { return log_lines_; }
    bool real_time = true; ///< keep to real time after the boot
    bool booted() const;

    /// Runs for at most about `seconds` of host time.
    void frame(double seconds);
    /// When the app closes: end of the recording, disk overlays, and the files that the command line asked
    /// for.
    Expected<void> finish(const emu::cli::MoreStats& more = {});

private:
    explicit Engine(const AppOptions& options) : options_(options) {}
    Expected<void> make_machine();
    Expected<void> drop_machine();
    void adopt();
    void keep_breakpoints();
    void adopt_breakpoints();
    using Journey = std::function<Expected<std::string>(const emu::Timeline::Progress&)>;
    void keep_history();
    std::string find_author(const emu::Target& target, bool write, const emu::Timeline::Progress& progress);
    bool may_travel();
    void travel(Journey journey, std::string what);
    void go();
    bool input_allowed_here();
    void start(std::string what);
    void stopped(const emu::RunReport& report);
    const emu::Breakpoint* met_breakpoint(const emu::RunReport& report) const;
    std::string breakpoint_text(const emu::RunReport& report) const;
    emu::RunLimits limits(double seconds);
    void place_own(u32& own, emu::BreakSpec spec);
    void forget_own(u32& own);
    void await_typing();
    std::optional<u64> paced_limit();
    void measure(double seconds, u64 steps);
    void measure_wall();
    bool leave_phase_stub(const emu::RunReport& report);
    void look_for_panic();
    std::string step_text(u64 first_step, u64 deliveries_before) const;
    static double now();

    AppOptions options_;
    std::unique_ptr<emu::Replayer> replayer_;
    std::unique_ptr<emu::Machine> machine_;
    std::unique_ptr<emu::net::Network> network_; ///< refers to the machine
    std::unique_ptr<emu::Recorder> recorder_;
    std::unique_ptr<emu::Timeline> timeline_; ///< refers to the machine
    std::unique_ptr<emu::EventStore> events_; ///< refers to the machine
    std::vector<Mark> marks_;
    std::optional<Answer> answer_;
    Journey journey_;
    bool travelling_now_ = false, journey_cancelled_ = false;
    double journey_share_ = 0;
    std::function<void()> pause_of_journey_;
    std::string recording_path_;
    State state_ = State::Paused;
    std::optional<emu::RunReport> last_report_;
    // The app's own breakpoints, by number; 0: none.
    u32 goal_ = 0;      ///< run to
    u32 temporary_ = 0; ///< step over, and out of a phase's stub
    u32 any_phase_ = 0, pacing_ = 0, typing_ = 0;
    std::size_t typed_ = 0;                   ///< scripted texts sent so far
    std::unique_ptr<emu::Debugger> debugger_; ///< refers to the machine
    bool goes_on_ = false; ///< a slice has run since the person said go: the next one leaves no breakpoint
    struct KeptBreakpoint {
        emu::BreakSpec spec;
        bool enabled;
    };
    std::vector<KeptBreakpoint> kept_; ///< for the next machine
    std::deque<std::string> log_lines_;
    std::string message_, goal_text_;
    bool message_is_error_ = false, resting_ = false, idle_for_ever_ = false;
    std::string phase_text_; ///< the phase whose stub is being left
    bool panic_printed_ = false;
    u64 console_searched_ = 0;
    u64 stops_ = 1, generation_ = 1;
    double slice_mips_ = 0, measured_seconds_ = 0; ///< inside slices: how large the next one may be
    u64 measured_steps_ = 0;
    double steps_per_second_ = 0, times_real_ = 0;
    double wall_since_ = 0; ///< 0: nothing is being measured
    u64 wall_steps_ = 0, wall_time_ = 0;
    bool anchored_ = false;
    double anchor_real_ = 0;
    u64 anchor_virtual_ = 0;
    int serial_file_ = -1;
};

} // namespace vitrine::ui
