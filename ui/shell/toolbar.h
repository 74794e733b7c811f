// The bars above and below: verbs with their keys; where the machine stands.
#pragma once
#include "ui/shell/context.h"

namespace vitrine::ui {

void draw_toolbar(Context& context);
void draw_status(Context& context);
/// The verbs behind buttons and keys that need more than the engine knows.
void step_over(Context& context);
void step_back_over(Context& context);
void toggle_run(Context& context);
void toggle_recording(Context& context);
/// Restarts; asks before it throws a run away.
void ask_restart(Context& context);
/// The lamp's word: "running", "idle", "powered off" …
const char* light_name(Engine::Light light);
/// Shows an error, if there is one.
void report(Context& context, const Expected<void>& result);

} // namespace vitrine::ui
