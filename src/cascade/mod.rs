//! Whether a network fits the device: cores and memory shares of all its models, counted exactly (SPEC 5).

mod budget;
mod fit;
mod sdk;
mod table;
#[cfg(test)]
mod tests;

pub use crate::config::Board;
pub use crate::config::CoreSettings;
pub use crate::config::Device;
pub use budget::{Budget, ModelBudget, ModelCores, budget};
pub use table::{render, to_json};
