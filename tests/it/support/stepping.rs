//! Kills a program right before one of its effects on the world, whichever is asked for: every state that a crash can
//! leave behind lies between two of them. ptrace(2) does it, on the machine whose registers are known here.

use nix::{
    libc,
    sys::{
        ptrace::{self, Options},
        signal::Signal,
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// What others can see of a program: what it writes, makes durable, puts in place, starts, locks and waits for.
const EFFECTS: [i64; 21] = [
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_link,
    libc::SYS_linkat,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_mkdir,
    libc::SYS_flock,
    libc::SYS_vfork,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_kill,
];

/// How a program that is stepped ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stepped {
    /// It was killed where it was told.
    Killed,
    /// It had fewer effects than that.
    Ended {
        /// Its exit code.
        code: i32,
        /// How many effects it had.
        effects: usize,
    },
    /// This machine lets nobody trace a process.
    Forbidden,
}

/// Runs a program, and kills it right before its effect of that number, counted from 1.
pub(crate) fn killed_before(program: &Command, effect: usize) -> Stepped {
    // The shell stands still until it is traced; from its exec on it is the program.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "read -r _ && exec \"$@\"", "sh"]).arg(program.get_program()).args(program.get_args());
    shell.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(program.get_current_dir().unwrap());
    let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL | Options::PTRACE_O_TRACEEXEC;
    if ptrace::seize(pid, options).is_err() {
        child.kill().unwrap();
        child.wait().unwrap();
        return Stepped::Forbidden;
    }
    ptrace::interrupt(pid).unwrap();
    waitpid(pid, None).unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let stepped = step(pid, effect);
    // The tracer has waited for it already: there is nobody left to wait for.
    child.wait().unwrap_err();
    stepped
}

fn step(pid: Pid, effect: usize) -> Stepped {
    let (mut started, mut inside, mut effects) = (false, false, 0);
    let mut signal = None;
    loop {
        ptrace::syscall(pid, signal.take()).unwrap();
        match waitpid(pid, None).unwrap() {
            WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_EXEC) => (started, inside) = (true, true),
            WaitStatus::PtraceSyscall(_) if started && inside => inside = false,
            WaitStatus::PtraceSyscall(_) if started => {
                inside = true;
                let number = ptrace::getregs(pid).unwrap().orig_rax.cast_signed();
                effects += usize::from(EFFECTS.contains(&number));
                if effects == effect {
                    // The call that it stands before is not made any more.
                    nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
                    while !matches!(waitpid(pid, None).unwrap(), WaitStatus::Signaled(..)) {}
                    return Stepped::Killed;
                }
            }
            WaitStatus::Stopped(_, delivered) => signal = Some(delivered),
            WaitStatus::Exited(_, code) => return Stepped::Ended { code, effects },
            WaitStatus::Signaled(_, by, _) => panic!("ended by {by} before it was killed"),
            _ => {}
        }
    }
}
