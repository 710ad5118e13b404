/* Preloaded by tests/flow/test_sandbox.py: a disk that takes every write and cannot promise any. */
#include <errno.h>
#include <unistd.h>

int fdatasync(int fildes)
{
    (void)fildes;
    errno = EIO;
    return -1;
}
