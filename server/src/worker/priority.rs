//! How much a worker comes before what else runs on its core.
//!
//! A worker that is held up for some milliseconds is late for a dozen rooms. What
//! holds it up on a machine with time to spare is mostly some process that wakes up once in
//! a while: the kernel gives it its turn, and half of the core until it is done.

/// Adds to the niceness of this thread, and of no other; below 0 it comes first. Stays as it
/// was where the system does not allow that.
#[cfg(target_os = "linux")]
pub(super) fn add_nice(by: i32) {
    if by == 0 {
        return;
    }
    // On Linux a thread has a niceness of its own.
    match rustix::process::nice(by) {
        Ok(nice) => tracing::debug!(nice, "a worker's niceness"),
        Err(error) => tracing::debug!(by, %error, "a worker keeps its niceness"),
    }
}

/// Elsewhere threads have none of their own.
#[cfg(not(target_os = "linux"))]
pub(super) fn add_nice(_by: i32) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn a_thread_has_a_niceness_of_its_own() {
        let nice = || getpriority_process(None).unwrap();
        let before = nice();
        let other = std::thread::spawn(move || {
            add_nice(3);
            nice()
        });
        assert_eq!(other.join().unwrap(), (before + 3).min(19));
        assert_eq!(nice(), before);
    }

    #[test]
    fn what_the_system_does_not_allow_changes_nothing() {
        // Whether it is allowed depends on who runs this: either it came first, or nothing changed.
        let nice = || getpriority_process(None).unwrap();
        let before = nice();
        let other = std::thread::spawn(move || {
            add_nice(-1);
            nice()
        });
        assert!([before - 1, before].contains(&other.join().unwrap()));
    }
}
