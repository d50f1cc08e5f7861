/* A disk that fails where it is told to: loaded before the C library by a server under test.

   The file that FAILING_DISK names says what fails, in one line: OPERATION SUFFIX ERRNO SKIP COUNT.
   OPERATION is sync or write; SUFFIX is how the name of the file ends; so many calls pass first, and so many fail after
   them, -1: all. An empty file: nothing fails. A sync that fails has synced nothing, and what was written stays written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int fd, const char *operation) {
    const char *control = getenv("FAILING_DISK");
    char said[256], link[64], name[4096], what[16], suffix[64];
    int number, skip, count, file;
    ssize_t size;
    if (control == NULL || (file = open(control, O_RDONLY)) < 0) return 0;
    size = read(file, said, sizeof said - 1);
    close(file);
    if (size <= 0) return 0;
    said[size] = 0;
    if (sscanf(said, "%15s %63s %d %d %d", what, suffix, &number, &skip, &count) != 5) return 0;
    if (strcmp(what, operation) != 0 || count == 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, name, sizeof name - 1);
    if (size < (ssize_t)strlen(suffix)) return 0;
    name[size] = 0;
    if (strcmp(name + size - strlen(suffix), suffix) != 0) return 0;
    if (skip > 0 || count > 0) {
        FILE *left = fopen(control, "w");
        if (left == NULL) return 0;
        fprintf(left, "%s %s %d %d %d\n", what, suffix, number, skip > 0 ? skip - 1 : 0, skip > 0 ? count : count - 1);
        fclose(left);
        if (skip > 0) return 0;
    }
    errno = number;
    return 1;
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

int fsync(int fd) { return fails(fd, "sync") ? -1 : REAL(int, "fsync", int)(fd); }
int fdatasync(int fd) { return fails(fd, "sync") ? -1 : REAL(int, "fdatasync", int)(fd); }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    return fails(fd, "write") ? -1 : REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t)(fd, bytes, size, at);
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    return fails(fd, "write") ? -1 : REAL(ssize_t, "pwrite", int, const void *, size_t, off_t)(fd, bytes, size, at);
}
