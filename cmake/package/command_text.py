#!/usr/bin/env python3
"""The manual page and bash's completion, made from what `vitrine --help` itself says, so that they cannot say anything else.

usage: command_text.py VITRINE docs/cli.md FOLDER        writes FOLDER/vitrine.1 and FOLDER/vitrine.bash
"""
import re
import subprocess
import sys
from pathlib import Path

INTRODUCTION = r"""An x86-64 computer in a glass case: a full-system PC emulator with a kernel of its own inside, and an app through which one
watches that kernel work, pauses it, steps it, records it and walks backwards. Without arguments it opens the app on the bundled guest;
with \fB\-\-headless\fR the guest's serial console is the terminal (Ctrl\-A X ends it). Runs are deterministic: the same machine and the same
input give the same state at every step."""

COMMANDS = [("recording FILE info|verify|trim|export", "what a recording holds, whether it is whole, a part of it, its console"),
            ("compare A B", "the first step at which two recordings part")]

EXAMPLES = [("vitrine", "the app, at the reset vector"),
            (r"vitrine --headless --type 'ls -l /\en' --type 'poweroff\en'", "boots, types, ends"),
            ("vitrine --headless --until rip:start_kernel --inspect registers --inspect maps", "what the app would show there"),
            ("vitrine --headless --record try.vrec", "records; --replay try.vrec runs it again, bit for bit"),
            ("vitrine --lesson 14", "a lesson about the buddy allocator; --lessons lists all")]


def statuses(manual):
    """The rows of the table under "Exit status" in docs/cli.md."""
    table = manual.split("## Exit status", 1)[1]
    rows = re.findall(r"^\| ([^|]*(?:\\\|[^|]*)*) \| (.*) \|$", table, re.M)[1:]
    return [(status.replace("\\|", "|"), re.sub(r"[`*]", "", text)) for status, text in rows if not status.startswith("-")]


def options(text):
    """[(group, [(names, argument, description)])], in the order of --help."""
    groups = []
    for line in text.splitlines():
        if heading := re.fullmatch(r"([A-Z][A-Za-z ]*):", line):
            groups.append((heading[1], []))
        elif option := re.match(r"  (-[^ ]+)( (?:TEXT|UINT|FLOAT|INT)(?: \.\.\.)?)? +(.*)$", line):
            groups[-1][1].append((option[1].split(","), (option[2] or "").strip(), option[3].strip()))
        elif line.startswith("      ") and groups and groups[-1][1]:
            names, argument, description = groups[-1][1][-1]
            groups[-1][1][-1] = (names, argument, f"{description} {line.strip()}".strip())
    return [group for group in groups if group[1]]


def roff(text):
    return text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...").replace("\n.", "\n\\&.")


def manual_page(groups, version, manual):
    page = [f'.TH VITRINE 1 "" "vitrine {version}" "User Commands"', ".SH NAME", r"vitrine \- an x86\-64 computer in a glass case",
            ".SH SYNOPSIS", ".B vitrine", r"[\fIOPTION\fR]...", ".br", ".B vitrine recording", r"\fIFILE\fR info|verify|trim|export", ".br",
            ".B vitrine compare", r"\fIA B\fR", ".SH DESCRIPTION", INTRODUCTION]
    for group, entries in groups:
        page.append(f".SH {group.upper()}")
        for names, argument, description in entries:
            page += [".TP", ", ".join(rf"\fB{roff(name)}\fR" for name in names) + (rf" \fI{argument}\fR" if argument else ""), roff(description)]
    page.append(".SH COMMANDS")
    for name, description in COMMANDS:
        page += [".TP", rf"\fB{roff(name)}\fR", roff(description)]
    page.append(".SH EXIT STATUS")
    for status, description in statuses(manual):
        page += [".TP", rf"\fB{roff(status)}\fR", roff(description)]
    page.append(".SH EXAMPLES")
    for command, description in EXAMPLES:
        page += [".TP", rf"\fB{command.replace('-', chr(92) + '-')}\fR", roff(description)]
    return "\n".join(page) + "\n"


# What comes after an option: words to choose from, by the option's name; files otherwise.
CHOICES = {"--cpu": "v1 v2 v3 max", "--timing": "fast simple", "--boot": "disk cdrom", "--serial": "stdio null pty file: unix:", "--log": "trace debug info warn error off",
           "--until": "step: phase: rip: serial:", "--net": "user none pcap="}


def words_of(vitrine, option):
    """What the program itself lists for an option."""
    if option == "--lesson":
        listing = subprocess.run([vitrine, "--lessons"], capture_output=True, text=True, check=True).stdout
        return " ".join(re.findall(r"^(\S+)", listing, re.M)[1:])
    if option == "--inspect":
        listing = subprocess.run([vitrine, "--inspect", "help"], capture_output=True, text=True, check=True).stdout
        return " ".join(re.findall(r"^([a-z][a-z-]*)", listing, re.M)[1:])
    raise ValueError(option)


def completion(groups, vitrine):
    names = [name for _, entries in groups for entry in entries for name in entry[0]]
    flags = [name for _, entries in groups for entry in entries if not entry[1] for name in entry[0]]
    choices = dict(CHOICES)
    for option in ("--inspect", "--lesson"):
        choices[option] = words_of(vitrine, option)
    unknown = [option for option in choices if option not in names]
    if unknown:
        sys.exit(f"command_text.py: the completion knows options that vitrine does not: {unknown}")
    cases = "\n".join(f'        {option}) COMPREPLY=($(compgen -W "{words}" -- "$current")); return ;;' for option, words in choices.items())
    return f"""# bash completion for vitrine, made from its --help.
_vitrine() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    COMPREPLY=()
    if [ "${{COMP_WORDS[1]}}" = recording ] && [ "$COMP_CWORD" -eq 3 ]; then
        COMPREPLY=($(compgen -W "info verify trim export" -- "$current")); return
    fi
    case $previous in
{cases}
        {"|".join(flags)}) ;;
        -*) COMPREPLY=($(compgen -f -- "$current")); compopt -o filenames 2>/dev/null; return ;;
    esac
    case $current in
        -*) COMPREPLY=($(compgen -W "{" ".join(names)}" -- "$current")) ;;
        *)  COMPREPLY=($(compgen -f -- "$current"))
            [ "$COMP_CWORD" -eq 1 ] && COMPREPLY+=($(compgen -W "recording compare" -- "$current"))
            compopt -o filenames 2>/dev/null ;;
    esac
}}
complete -F _vitrine vitrine
"""


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    vitrine, manual, folder = sys.argv[1], Path(sys.argv[2]).read_text(), Path(sys.argv[3])
    groups = options(subprocess.run([vitrine, "--help"], capture_output=True, text=True, check=True).stdout)
    version = subprocess.run([vitrine, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vitrine.1").write_text(manual_page(groups, version, manual))
    (folder / "vitrine.bash").write_text(completion(groups, vitrine))


if __name__ == "__main__":
    main()
