//! Keeping this process's memory to itself.

use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
};

/// No core dump, and no tracing by other processes of the user. A system that refuses is left as it is: the process is
/// then as open as every other one.
pub fn harden() {
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = prctl::set_dumpable(false);
}
