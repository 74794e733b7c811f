"""Two roads to the same fact: what inspection reads out of the guest's memory, and what the guest's own /proc prints."""
import json, re, subprocess, sys

VITRINE, BZIMAGE, DISK = sys.argv[1:4]
END = "=== all is said ==="


def machine(commands, views, append="", until="serial:" + END):
    words = [VITRINE, "--headless", "--cpus", "2", "--until", until, "--json", "--limit-steps", "2000000000"]
    if append:
        words += ["--kernel", BZIMAGE, "--disk", DISK, "--append", "console=ttyS0 root=/dev/sda1 " + append]
    words += ["--type", "; ".join(commands + [f"echo === all is ''said ==="]) + "\\n"]
    out = {}
    for view in views:
        done = subprocess.run(words + ["--serial", "stdio", "--inspect", view], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            sys.exit(f"--inspect {view}: status {done.returncode}\n{done.stderr}\n{done.stdout[-2000:]}")
        printed, _, view_text = done.stdout.replace("\r", "").rpartition(END)
        out[view] = json.loads(view_text[view_text.index("{"):view_text.rindex("}") + 1])
        out["printed"] = printed
    return out


def between(printed, name):
    """Lines that `echo [name]; cat …` printed."""
    found = re.search(rf"^\[{name}\]\n(.*?)(?=^\[)", printed, re.S | re.M)
    return found.group(1).splitlines() if found else sys.exit(f"the guest did not print [{name}]:\n{printed[-3000:]}")


def check(truth, why):
    if not truth:
        sys.exit(why)


said = machine(["echo [maps]", "cat /proc/1/maps", "echo [mounts]", "cat /proc/mounts", "echo [slabs]", "cat /proc/slabinfo",
                "echo [fds]", "ls /proc/1/fd", "echo [disks]", "cat /proc/diskstats", "echo [softirqs]", "cat /proc/softirqs",
                "echo [tree]", "cat /proc/1/stat", "echo [end]", "sleep 0"],
               ["space:1", "files", "slabs", "block", "softirqs", "processes"])
printed = said["printed"]

# Areas: start, end, rights and name of every line of /proc/1/maps.
lines = []
for line in between(printed, "maps"):
    words = line.split()
    start, end = words[0].split("-")
    lines.append((int(start, 16), int(end, 16), words[1], words[5] if len(words) > 5 else ""))
areas = [(int(a["start"], 16), int(a["end"], 16), a["rights"], a["name"]) for a in said["space:1"]["areas"]]
check(lines == areas, f"areas of PID 1\n/proc/1/maps: {lines}\ninspection:   {areas}")
present = sum(a["present_pages"] for a in said["space:1"]["areas"])
check(present == said["space:1"]["resident_pages"], f"{present} pages are in the tables, the kernel counts {said['space:1']['resident_pages']}")

mounted = sorted((words[1], words[2]) for words in map(str.split, between(printed, "mounts")))
seen = sorted((m["on"] or "/", m["type"]) for m in said["files"]["mounts"]["rows"])
check([m for m in mounted if m[0] != "/"] == [m for m in seen if m[0] != "/"] and len(mounted) == len(seen), f"mounts: /proc says {mounted}, inspection {seen}")

sizes = {words[0]: int(words[3]) for words in map(str.split, between(printed, "slabs")) if len(words) > 5 and words[3].isdigit()}
caches = {c["name"]: c["stride"] for c in said["slabs"]["caches"]}
check(sizes and {n: caches.get(n) for n in sizes} == sizes, f"slab caches: /proc says {sizes}, inspection {caches}")

fds = sorted(int(word) for line in between(printed, "fds") for word in line.split() if word.isdigit())
opened = sorted(row["fd"] for row in said["files"]["open_files"]["rows"] if row["pid"] == 1)
check(fds == opened, f"open files of PID 1: /proc says {fds}, inspection {opened}")

reads = {words[2]: (int(words[3]), int(words[5])) for words in map(str.split, between(printed, "disks"))}
disks = {row["name"]: (row["reads"], row["read"] // 512) for row in said["block"]["devices"]["rows"]}
for name, (count, sectors) in reads.items():  # the commands behind may have read more
    check(name in disks and disks[name][0] >= count and disks[name][1] >= sectors, f"{name}: /proc says {count} reads, {sectors} sectors; inspection {disks.get(name)}")
check(0 < disks["sda1"][0] < reads["sda1"][0] + 200, "reads are counted")

table = {words[0].rstrip(":"): list(map(int, words[1:])) for words in map(str.split, between(printed, "softirqs")) if words[0].endswith(":")}
rows = {row["softirq"]: [row["cpu_0"], row["cpu_1"]] for row in said["softirqs"]["softirqs"]["rows"]}
check(set(table) == set(rows), f"softirqs: {set(table)} {set(rows)}")
for name, counts in table.items():
    check(all(now >= then and now - then < 5000 for now, then in zip(rows[name], counts)), f"softirq {name}: /proc says {counts}, inspection {rows[name]}")

# With lockdep the classes and their order are there, as /proc/lock_stat has them.
said = machine(["echo [locks]", "cat /proc/lock_stat", "echo [end]", "sleep 0"], ["locks"], append="lockdep")
classes = {row["class"]: row["taken"] for row in said["locks"]["classes"]["rows"]}
check(len(classes) > 10 and classes.get("runqueue", 0) > 100, f"lock classes: {classes}")
names = {m.group(1) for m in (re.match(r"\s*&?([^\s:][^:]*?)\s*:\s+\d", line) for line in between(said["printed"], "locks")) if m}
check("runqueue" in names and len(names) > 10, f"/proc/lock_stat names only {sorted(names)}")
check(names <= set(classes), f"/proc/lock_stat names {sorted(names - set(classes))}, which inspection does not have")
order = {(row["held"], row["then_taken"]) for row in said["locks"]["order"]["rows"]}
check(order and not any((b, a) in order for a, b in order if a != b), f"the order graph has no pair both ways: {sorted(order)[:5]}")

# A disk that is asked for much has requests in flight at some moment.
done = subprocess.run([VITRINE, "--headless", "--serial", "null", "--until", "rip:ahci_single_irq_intr", "--json", "--inspect", "block"],
                      capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
view = json.loads(done.stdout[done.stdout.index("{"):done.stdout.rindex("}") + 1])
flying = [row for row in view["requests"]["rows"] if row["where"] == "in flight"]
check(flying and flying[0]["tag"] >= 0 and flying[0]["size"] > 0, f"at the disk's interrupt a request is in flight: {view['requests']}\n{done.stderr[-500:]}")
print(f"{len(areas)} areas, {len(mounted)} mounts, {len(sizes)} caches, {len(classes)} lock classes agree")
