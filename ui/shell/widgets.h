// Widgets that every panel uses: the panel frame, address links, hexadecimal values, notes, tables.
#pragma once
#include <string>
#include <string_view>
#include <vector>
#include "ui/shell/context.h"

namespace vitrine::ui {

/// A framed panel with a title and, at its right, one line of information. Always pair with end_panel().
void begin_panel(Context& context, const char* title, const Rect& area, std::string_view right = {},
                 ImU32 border = colour::Border, bool scrolls = true);
void end_panel();
/// For panels that have only a frame and draw their own head.
void begin_frame(Context& context, const char* name, const Rect& area, ImU32 border = colour::Border);
void end_frame();

void text(ImU32 colour, std::string_view what);
void text_in(ImFont* font, ImU32 colour, std::string_view what);
/// Wrapped text in the middle of the free space: why a panel has nothing to show.
void why_empty(Context& context, std::string_view why);
/// Remarks of a view, each with a mark before it.
void notes(Context& context, const emu::inspect::Notes& notes);
void section(Context& context, const char* title, std::string_view right = {});

/// What a panel is called: whole, for a narrow tab, and in a sentence.
const char* panel_title(Tab panel);
const char* panel_brief(Tab panel);
const char* panel_hint(Tab panel);

enum class Leads : u8 { Code, Data, Physical };
/// The one way to show an address: click goes to it, right click offers the places where it can be looked at.
void address_link(Context& context, u64 address, Leads leads = Leads::Data, std::string_view label = {},
                  unsigned digits = 0);
/// The menu that a right click on an address opens; drawn once per frame.
void address_menu(Context& context);
void answer_card(Context& context);
/// Hexadecimal with faint leading zeros.
void hex_value(Context& context, u64 value, unsigned digits = 16, bool changed = false);
/// As many digits as the current mode's addresses need.
unsigned address_digits(Context& context);

/// `sideways`: columns keep their width and the table scrolls; otherwise a stretched column takes what is
/// left.
bool begin_table(const char* name, int columns, bool scrolls = true, bool sideways = true, float height = 0);
void tooltip(Context& context, std::string_view what);
/// At once: for what is pointed at to be read, as a chart is.
void tooltip_now(Context& context, std::string_view what);
/// A small key cap, as on a keyboard.
void key_cap(Context& context, const char* key);
/// A two-state button in the style of a chip.
bool toggle(Context& context, const char* label, bool on, const char* hint);

} // namespace vitrine::ui
