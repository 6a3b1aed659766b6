//! A stage of the compiler that fails on purpose, for tests: `AXZOO_FAULT=stage:schedule`. Only builds with debug assertions have it.

/// Whether a stage is to fail.
#[cfg(not(debug_assertions))]
pub const fn stage_fails(_: &str) -> bool {
    false
}

/// Whether a stage is to fail.
#[cfg(debug_assertions)]
#[must_use]
pub fn stage_fails(name: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test says it to a child process, and nothing else reads it")]
    let fault = std::env::var("AXZOO_FAULT");
    fault.is_ok_and(|fault| fault.strip_prefix("stage:") == Some(name))
}
