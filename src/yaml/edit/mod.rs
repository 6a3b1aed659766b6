//! Edits of a YAML text: spans replaced, everything else as it was, byte for byte.
//!
//! An [`Editor`] knows a text's tree and makes [`Edit`]s of it: a value replaced, an entry removed, replaced or inserted, in
//! block and in flow style. [`Editor::apply`] puts several of them in at once. What cannot be edited where it stands,
//! because an alias or a merge key brought it there or because others use its anchor, is an [`EditError`].
//!
//! A comment belongs to an entry when it stands behind it on its line, or on lines of its own right below it and
//! indented deeper than its key. It goes when the entry goes. Every other comment stays.

mod apply;
mod editor;
mod error;
mod layout;
#[cfg(test)]
mod tests;

pub use apply::{Edit, apply};
pub use editor::{Editor, scalar_text};
pub use error::{EditError, EditErrorKind};
