// Loads a kernel for `husk kexec`, as kexec(8) does.
//
//   kexec KERNEL INITRAMFS COMMAND-LINE
//   kexec --unload
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/kexec.h>
#include <string_view>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

int Load(int kernel, int initramfs, std::string_view command_line, unsigned long flags) {
    // The size counts the byte that ends it.
    if (::syscall(SYS_kexec_file_load, kernel, initramfs, command_line.size() + 1,
                  command_line.data(), flags) == 0)
        return 0;
    std::perror("kexec_file_load");
    return 1;
}

int Open(const char* path) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) std::perror(path);
    return fd;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--unload") == 0)
        return Load(-1, -1, "", KEXEC_FILE_UNLOAD);
    if (argc != 4) return 2;
    const int kernel = Open(argv[1]), initramfs = Open(argv[2]);
    return kernel < 0 || initramfs < 0 ? 1 : Load(kernel, initramfs, argv[3], 0);
}
