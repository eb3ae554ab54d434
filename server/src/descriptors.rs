//! How many files and sockets the system lets this program have open. Many systems start
//! programs with a soft limit of 1,024 and let them raise it up to a hard one.

/// Descriptors beside those of connections: listeners, runtimes, files.
#[cfg(unix)]
const RESERVE: u64 = 64;

/// Asks for enough descriptors for so many connections; a warning if there are not.
#[cfg(unix)]
pub(crate) fn make_room(connections_max: usize) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let wanted = connections_max as u64 + RESERVE;
    let mut limit = getrlimit(Resource::Nofile);
    // None stands for no limit.
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let reachable = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    limit.current = Some(reachable);
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    } else if reachable < wanted {
        tracing::warn!(
            open_files_max = reachable,
            connections_max,
            "the system allows fewer open files than connections: raise it (ulimit -Hn)"
        );
    }
}

#[cfg(not(unix))]
pub(crate) fn make_room(_connections_max: usize) {}
