//! Packages: what the runtime opens and nothing else, with bytes that depend on contents alone (SPEC 9).

mod archive;
mod axm;
mod bundle;
mod error;
mod steps;

pub use archive::{Contents, Entry, write_zip};
pub use axm::write_axm;
pub use bundle::{BundledModel, write_bundle};
pub use error::PackError;
pub use steps::{PACK_IDENTITY, bundle_network, pack_model};
