// The command line as data: every option of docs/cli.md, parsed and checked.
//
// parse() never touches files. What this build does not have yet is refused with exit status 64 and "is not
// there yet", so that nothing is silently ignored.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "emu/debugger/break_spec.h"
#include "emu/machine.h"
#include "emu/net/network_spec.h"
#include "emu/recorder/checkpoints.h"

namespace vitrine::emu::cli {

/// Text to type on the console, when a condition is met.
struct Typing {
    std::string text; ///< escapes resolved; Enter is CR
    BreakSpec when;   ///< the program's own
};

/// A disc that is put in, or out (no path), when a condition is met.
struct MediumChange {
    std::string path;
    BreakSpec when; ///< the program's own
};

enum class SerialTarget : u8 { Stdio, Null, File, Pty, Socket };

struct Options {
    MachineConfig machine;
    bool headless = false;
    SerialTarget serial = SerialTarget::Stdio;
    std::string serial_file;                   ///< of File and Socket
    SerialTarget serial2 = SerialTarget::Null; ///< COM2
    std::string serial2_file;
    net::NetworkSpec network;
    std::string gdb; ///< where to wait for gdb; empty: nowhere
    std::string record, replay, load_state, save_state;
    std::string save_recording; ///< write the run as a recording when it is over
    CheckpointSpacing checkpoint_spacing() const;
    std::optional<u64> checkpoint_steps; ///< least steps between checkpoints in a recording; ~0: none
    std::optional<BreakSpec> until_break;
    std::string until_text;          ///< as given, for messages
    std::vector<std::string> breaks; ///< --break, checked by parse_break
    std::vector<std::string> who_wrote, who_read, all_writes, who_changed; ///< asked at the stop
    u32 events = 0;                                                        ///< mask of event kinds to note
    std::string trace; ///< write them for other tools: FILE.json, or ftrace text
    u64 events_from = 0, events_to = ~u64{0};
    std::string last; ///< --last: at the stop, back to the last hit of this
    std::vector<Typing> typing;
    std::vector<MediumChange> media; ///< one waits for the other
    u64 limit_steps = ~u64{0};
    double limit_seconds = 1e18;
    bool state_hash = false;
    std::string stats, screenshot;
    std::vector<std::string> inspect;
    bool json = false;
    std::string log_level = "warn";
    bool machine_given = false; ///< an option that a recording already decides was given
    std::string lesson;         ///< a lesson's name or file
    bool lesson_check = false;  ///< perform it without a window and hold its claims against the machine
    bool lessons = false;       ///< list them
    // For the app.
    u64 history = u64{1} << 30; ///< bytes for checkpoints; 0: none are taken
    bool history_given = false; ///< without a window: keep it from power-on, even if nothing asks for it
    double ui_scale = 0;        ///< 0: from the display
    bool start_screen = false;  ///< begin with the choice of what to look at
    std::string window;         ///< "1280x800"; empty: by the display
    std::string ui_screenshot;  ///< write the app's window as PNG at the stop, then exit
    std::string ui_tab;         ///< the tab that is open at first
    std::string ui_show;        ///< a dialog for the screenshot: "keys"
    /// The app asks these questions by the pointer, not by its command line.
    bool needs_headless() const { return needs_history() || events; }
    /// Something at the stop looks into the past.
    bool needs_history() const {
        return !gdb.empty() || !last.empty() || !who_wrote.empty() || !who_read.empty() ||
               !all_writes.empty() || !who_changed.empty();
    }
    bool keeps_history() const { return needs_history() || !save_recording.empty(); }
    std::string ui_state; ///< keep what the window shows in this file, for tests
};

struct Parsed {
    Options options;
    std::string help; ///< when not empty: print it and exit 0
};
Expected<Parsed> parse(int argc, const char* const* argv);

// Pieces, public for tests.
Expected<u64> parse_size(std::string_view text); ///< "512M", "2G", "65536K", "33554432"
Expected<BreakSpec>
parse_until(std::string_view text); ///< "step:N", "phase:NAME", "rip:ADDR|SYMBOL", "serial:TEXT"
/// The same as a breakpoint; also any other place of parse_break().
Expected<BreakSpec> parse_until_break(std::string_view text);
Expected<Typing> parse_typing(std::string_view text);              ///< "TEXT[@EXPR]"
Expected<MediumChange> parse_medium_change(std::string_view text); ///< "FILE|none@EXPR"
/// "disk", "cdrom", "order=dc", "order=c,menu=on", "menu=on".
Expected<void> parse_boot(std::string_view text, MachineConfig& machine);
Expected<DiskConfig>
parse_disk(std::string_view text); ///< "FILE[,readonly][,format=raw|qcow2][,overlay=FILE]"
Expected<i64> parse_wall_clock(std::string_view text); ///< ISO 8601 UTC: "2026-01-01T00:00:00Z"
Expected<u64> parse_number(std::string_view text);     ///< decimal, or hexadecimal with 0x

} // namespace vitrine::emu::cli
