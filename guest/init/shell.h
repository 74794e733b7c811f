// The shell: reads lines from the console and answers them.
#pragma once

/// Runs until the machine is switched off, or end of file.
void run_shell(char** environment);
/// Forks, executes the program, waits for it; returns the wait status, or minus the error.
long run_program(const char* path, char** arguments, char** environment);
/// Says how a child ended when it did not end well.
void report_status(const char* name, int status);
/// Copies a file to standard output; false (with a message) when it cannot.
bool show_file(const char* path);
