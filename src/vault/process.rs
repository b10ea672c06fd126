//! Keeping this process's memory and descriptors to itself.

use signal_hook::consts::SIGXFSZ;
use std::sync::Arc;

use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
};

/// No core dump, no tracing by other processes of the user, and no descriptor that we were started with (a passphrase
/// on `9<`) in a program that we start. A system that refuses is left as it is: the process is then as open as every
/// other one.
pub fn harden() {
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = prctl::set_dumpable(false);
    // A file that may not grow any more is then an error of writing, which is told, and not the end of the process.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    close_fds::set_fds_cloexec(3, &[]);
}
