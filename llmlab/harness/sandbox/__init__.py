"""What a student's process may do: next to nothing, enforced by the kernel. Linux only; elsewhere nothing is enforced.

    confine     puts a fork into all of this
    paths       what may be read
    landlock    no other file, no TCP, no signal, no abstract socket beyond the process itself
    seccomp     no system call that computing does not need
    limits      memory, CPU time, descriptors, no capability, no core file
    bubblewrap  namespaces around the warm process, where they can be had
    cgroup      a memory and process bound on everything together, where a controller is delegated
    proof       tries the forbidden things from inside, and says which were refused

A fork is confined before the first byte of a student's is read in it. It cannot be undone.
"""

ESSENTIAL = ("files", "writing", "network", "processes", "signals", "memory", "neighbours")
"""Real submissions are not graded without these, unless the instructor says so. `proof` tells which hold."""
