// fork + exec of qemu-system-x86_64 with a pipe to its monitor; see qemu.h.
#include "tests/guest/qemu.h"

#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace vitrine::tests {

TemporaryFolder::TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vitrine-boot-XXXXXX").string();
    path_ = mkdtemp(pattern.data()) ? pattern : "";
    EXPECT_FALSE(path_.empty());
}

TemporaryFolder::~TemporaryFolder() {
    if (!path_.empty()) std::filesystem::remove_all(path_);
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
}

void write_file(const std::string& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(file.good()) << path;
}

QemuRun run_qemu(const QemuOptions& options) {
    using namespace std::chrono_literals;
    const TemporaryFolder folder;
    const std::string serial = folder.file("serial");
    std::vector<std::string> arguments = {"qemu-system-x86_64",
                                          "-machine",
                                          "q35",
                                          "-m",
                                          "128",
                                          "-display",
                                          "none",
                                          "-no-reboot",
                                          "-serial",
                                          "file:" + serial,
                                          "-monitor",
                                          "stdio",
                                          "-nic",
                                          "none",
                                          "-device",
                                          "isa-debug-exit,iobase=0xf4,iosize=4"};
    if (!options.bios.empty()) arguments.insert(arguments.end(), {"-bios", options.bios});
    if (!options.disk.empty())
        arguments.insert(arguments.end(),
                         {"-drive", "if=none,id=disk0,format=raw,snapshot=on,file=" + options.disk, "-device",
                          "ide-hd,drive=disk0,bus=ide.0"});
    arguments.insert(arguments.end(), options.more.begin(), options.more.end());

    std::signal(SIGPIPE, SIG_IGN); // QEMU may leave while a command is being written
    int monitor[2];
    EXPECT_EQ(pipe(monitor), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(monitor[0], STDIN_FILENO);
        close(monitor[1]);
        const int log = open(folder.file("log").c_str(), O_CREAT | O_WRONLY, 0600);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        std::vector<char*> pointers;
        for (std::string& argument : arguments) pointers.push_back(argument.data());
        pointers.push_back(nullptr);
        execvp(pointers[0], pointers.data());
        _exit(127);
    }
    close(monitor[0]);

    QemuRun run;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(options.seconds);
    bool sent = false;
    int status = 0;
    for (;;) {
        if (waitpid(child, &status, WNOHANG) == child) {
            run.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
            break;
        }
        if (!sent && !options.until.empty() && read_file(serial).find(options.until) != std::string::npos) {
            sent = true;
            for (const std::string& command : options.monitor) {
                const std::string line = command + "\n";
                if (write(monitor[1], line.data(), line.size()) != static_cast<ssize_t>(line.size())) break;
                std::this_thread::sleep_for(300ms);
            }
            if (options.monitor.empty()) std::this_thread::sleep_for(100ms);
            // The guest may have left by itself meanwhile.
            if (waitpid(child, &status, WNOHANG) == child) {
                run.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
                break;
            }
            kill(child, SIGTERM);
        }
        if (std::chrono::steady_clock::now() > deadline) {
            run.timed_out = true;
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            break;
        }
        std::this_thread::sleep_for(20ms);
    }
    close(monitor[1]);
    run.serial = read_file(serial);
    if (run.status == 127)
        ADD_FAILURE() << "qemu-system-x86_64 cannot be started (Debian package qemu-system-x86)";
    if (run.timed_out)
        ADD_FAILURE() << "QEMU did not end in " << options.seconds << " s; serial output:\n"
                      << run.serial << read_file(folder.file("log"));
    return run;
}

} // namespace vitrine::tests
