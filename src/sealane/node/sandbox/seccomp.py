"""The filter of system calls that a computation runs under, as a classic BPF program. x86-64 only.

Refused are new processes and programs, sockets, everything that writes, names or changes files, other processes' memory
and signals, and the parts of the kernel that a computation has no business with. Calls that are newer than the list
do not exist. Threads, memory, clocks and reading stay: numerical libraries need them.

Source: Documentation/userspace-api/seccomp_filter.rst; numbers from asm/unistd_64.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from sealane.node.sandbox.syscalls import PR_SET_SECCOMP, prctl

MACHINE = "x86_64"
AUDIT_ARCH_X86_64 = 0xC000003E
X32 = 0x40000000
NEWEST = 450
CLONE_THREAD = 0x10000
MODE_FILTER = 2
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
LOAD, EQUAL, GREATER, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
NUMBER_AT, ARCH_AT, ARGUMENTS_AT = 0, 4, 16

REFUSED: dict[str, tuple[int, ...]] = {
    # socket socketpair connect accept accept4 bind listen sendmsg sendmmsg recvmsg recvmmsg
    "sockets": (41, 53, 42, 43, 288, 49, 50, 46, 307, 47, 299),
    # fork vfork execve execveat ptrace process_vm_readv process_vm_writev process_madvise kcmp
    "processes": (57, 58, 59, 322, 101, 310, 311, 440, 312),
    # kill tkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_getfd pidfd_send_signal
    "signals": (62, 200, 129, 297, 434, 438, 424),
    # creat truncate mknod mknodat link linkat symlink symlinkat rename renameat renameat2 unlink unlinkat mkdir
    # mkdirat rmdir chmod fchmod fchmodat chown fchown lchown fchownat utime utimes utimensat futimesat
    # setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
    "files": (85, 76, 133, 259, 86, 265, 88, 266, 82, 264, 316, 87, 263, 83, 258, 84, 90, 91, 268, 92, 93, 94, 260,
              132, 235, 280, 261, 188, 189, 190, 197, 198, 199),
    # mount umount2 pivot_root chroot unshare setns fsopen fsconfig fsmount fspick move_mount open_tree mount_setattr
    # name_to_handle_at open_by_handle_at quotactl quotactl_fd fanotify_init fanotify_mark swapon swapoff acct
    "mounts": (165, 166, 155, 161, 272, 308, 430, 431, 432, 433, 429, 428, 442, 303, 304, 179, 443, 300, 301, 167, 168,
               163),
    # shmget shmat shmctl msgget msgsnd msgrcv semget semop mq_open mq_unlink inotify_init inotify_init1
    "shared": (29, 30, 31, 68, 69, 70, 64, 65, 240, 241, 253, 294),
    # setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid capset personality setrlimit
    # setpriority sched_setscheduler sched_setattr sched_setparam setsid setpgid
    "rights": (105, 106, 113, 114, 117, 119, 116, 122, 123, 126, 135, 160, 141, 144, 314, 142, 112, 109),
    # bpf perf_event_open io_uring_setup io_uring_enter io_uring_register userfaultfd keyctl add_key request_key
    # kexec_load kexec_file_load init_module finit_module delete_module reboot settimeofday clock_settime adjtimex
    # clock_adjtime iopl ioperm modify_ldt memfd_secret syslog sethostname setdomainname vhangup uselib sysfs ustat
    # io_setup seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
    "kernel": (321, 298, 425, 426, 427, 323, 250, 248, 249, 246, 320, 175, 313, 176, 169, 164, 227, 159, 305, 172, 173,
               154, 447, 103, 170, 171, 153, 134, 139, 136, 206, 317, 444, 445, 446),
}
ABSENT = (435, 437)
"""clone3 and openat2 pass what they ask for by pointer, which no filter can read: libraries fall back."""
OPEN, OPENAT, CLONE, TGKILL, PRCTL, PRLIMIT, IOCTL = 2, 257, 56, 234, 157, 302, 16
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | 0o20000000  # O_TMPFILE, without O_DIRECTORY
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
PR_NAMES = (15, 16, 0x53564D41)
"""What threads and allocators are called: PR_SET_NAME, PR_GET_NAME, PR_SET_VMA."""


def supported() -> bool:
    """Tell whether this machine's system calls are known here."""
    return os.uname().machine == MACHINE and struct.calcsize("P") == 8


def program(own_pid: int) -> list[tuple[int, int, int, int]]:
    """Return the filter's instructions: code, jump if true, jump if false, operand."""
    no = ERRNO | errno.EPERM
    out = [(LOAD, 0, 0, ARCH_AT), (EQUAL, 1, 0, AUDIT_ARCH_X86_64), (RETURN, 0, 0, KILL),
           (LOAD, 0, 0, NUMBER_AT), (AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILL),
           (GREATER, 0, 1, NEWEST), (RETURN, 0, 0, ERRNO | errno.ENOSYS)]
    for number in ABSENT:
        out += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | errno.ENOSYS)]
    for numbers in REFUSED.values():
        for number in numbers:
            out += [(EQUAL, 0, 1, number), (RETURN, 0, 0, no)]
    out += _on(OPEN, 1, [(ANY_BIT, 0, 1, WRITING), (RETURN, 0, 0, ERRNO | errno.EACCES)])
    out += _on(OPENAT, 2, [(ANY_BIT, 0, 1, WRITING), (RETURN, 0, 0, ERRNO | errno.EACCES)])
    out += _on(CLONE, 0, [(ANY_BIT, 1, 0, CLONE_THREAD), (RETURN, 0, 0, no)])
    out += _on(TGKILL, 0, [(EQUAL, 1, 0, own_pid), (RETURN, 0, 0, no)])
    out += _on(PRCTL, 0, [(EQUAL, len(PR_NAMES) - k, 0, name) for k, name in enumerate(PR_NAMES)]
               + [(RETURN, 0, 0, no)])
    # prlimit64 with a new limit: the low and the high half of the pointer.
    out += _on(PRLIMIT, 2, [(EQUAL, 1, 0, 0), (RETURN, 0, 0, no), (LOAD, 0, 0, ARGUMENTS_AT + 20), (EQUAL, 1, 0, 0),
                            (RETURN, 0, 0, no)])
    out += _on(IOCTL, 1, [(EQUAL, 1, 0, TIOCSTI), (EQUAL, 0, 1, TIOCLINUX), (RETURN, 0, 0, no)])
    return [*out, (RETURN, 0, 0, ALLOW)]


def install(own_pid: int) -> None:
    """Put this thread, and all it makes, under the filter for good. ``no_new_privs`` must be set.

    Raises:
        OSError: the kernel refuses.
    """
    instructions = program(own_pid)
    packed = b"".join(struct.pack("<HBBI", *each) for each in instructions)
    held = ctypes.create_string_buffer(packed, len(packed))
    program_at = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(instructions), ctypes.addressof(held)))
    prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.addressof(program_at))


def _on(number: int, argument: int, then: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Return what looks at the low half of one argument of one system call, and allows what is not refused by then."""
    body = [(LOAD, 0, 0, ARGUMENTS_AT + 8 * argument), *then, (RETURN, 0, 0, ALLOW)]
    return [(EQUAL, 0, len(body), number), *body]
