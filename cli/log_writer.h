// `husk log-files`: the process that writes logs to files (LogOpt=path=). The supervisor starts one
// for all units and ends it as it likes. It reads the logs as `husk logs` does, so a disk that is
// slow, full, in error or gone (a hung NFS) holds up nobody but it: meanwhile the logs in memory go
// on, and what falls out of them before it can be written is counted in the file.
//
// A file and those that it was renamed to (NAME.1, …) never take more than max-size times max-file,
// and nothing is written while its file system has less than a reserve free. It never calls
// fsync(2): a power cut may cost what the kernel had not written yet, some 30 seconds.
//
// Killed at any moment it loses and repeats no line: where it is lies in the run folder, written
// before each piece: "what follows offset O of the log begins at size S of the file". What is in
// the file beyond that is left out of the same text when it is made again. Only where the log in
// memory lost that place meanwhile, lines may be there twice.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <string_view>

namespace husk::cli {

struct LogFileSpec {
    std::string unit, shown, path;
    uint64_t max_size = 0;  // bytes
    int max_file = 1;
};

// "UNIT:SHOWN:SIZE:COUNT:PATH", what the supervisor gives for each unit.
std::optional<LogFileSpec> ParseLogFileSpec(std::string_view text);

// What has to stay free of a file system of so many bytes: a twentieth, at most 64 MiB.
uint64_t LogReserve(uint64_t file_system);

// How much of `text`, in whole lines, still goes into a file that has `size` bytes; none where that
// is to be renamed first. No line is longer than the least max-size.
size_t FitLines(std::string_view text, uint64_t size, uint64_t max_size);

int LogFilesMain(int argc, char** argv);

}  // namespace husk::cli
