"""One Docket on one machine: a private Postgres, a private RabbitMQ and our programs.

ops/up runs it for a person, tests/harness for the tests; both through this code.

Where root calls, every server runs as the system user `docket`.  The home may lie below a directory
that only root may enter, which that user cannot look a path up in.  So each server is started *in*
its directory (the working directory is taken before the privileges are dropped) and knows it only
as /proc/self/cwd (or as a descriptor, /proc/self/fd/N), a link that the kernel resolves without
walking the path.  No capability is kept,
nothing is mounted, no mode of a directory above is changed, and all state is where DOCKET_HOME says.
"""
