//! The house's rules that no compiler checks: which room may use which, and how large a file may be.
#![expect(clippy::disallowed_methods, reason = "tests look at files directly")]
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod codes;
mod direction;
mod documents;
mod schema;
