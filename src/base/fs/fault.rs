//! Faults on purpose, for tests: the disk is full, the disk is broken, the process is gone, a mistake of ours, at the n-th
//! change of the file system. `AXZOO_FAULT=full:17`, `broken:17`, `kill:17` or `panic:17`. Only builds with debug assertions
//! have it.

use std::io;

/// Before each change of the file system.
#[cfg(not(debug_assertions))]
pub(super) const fn point() -> io::Result<()> {
    Ok(())
}

/// Before each change of the file system: fails, or ends the process, at the one that was asked for and, where the disk is
/// full, at every later one.
#[cfg(debug_assertions)]
pub(super) fn point() -> io::Result<()> {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static FAULT: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    #[expect(clippy::disallowed_methods, reason = "a test says it to a child process, and nothing else reads it")]
    let fault = FAULT.get_or_init(|| {
        let text = std::env::var("AXZOO_FAULT").ok()?;
        let (kind, place) = text.split_once(':')?;
        Some((kind.to_owned(), place.parse().ok()?))
    });
    let Some((kind, place)) = fault else { return Ok(()) };
    let passed = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    let error = |errno: rustix::io::Errno| Err(io::Error::from(errno));
    match kind.as_str() {
        "full" if passed >= *place => error(rustix::io::Errno::NOSPC),
        "broken" if passed == *place => error(rustix::io::Errno::IO),
        #[expect(clippy::panic, reason = "a mistake on purpose, for tests")]
        "panic" if passed == *place => std::panic::panic_any("a mistake on purpose"),
        "kill" if passed == *place => {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            error(rustix::io::Errno::IO)
        }
        _ => Ok(()),
    }
}
