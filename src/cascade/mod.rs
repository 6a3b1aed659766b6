//! Whether a network fits the device: cores and memory shares of all its models, counted exactly (SPEC 5); how it could be
//! split better, and that written into the card.

mod apply;
mod budget;
mod cost;
mod fan_out;
mod fit;
#[cfg(test)]
mod hint_tests;
mod sdk;
mod site;
mod split;
#[cfg(test)]
mod split_tests;
mod suggestion;
mod suggestion_table;
mod table;
#[cfg(test)]
mod tests;

pub use crate::config::Board;
pub use crate::config::BoardRequest;
pub use crate::config::CoreSettings;
pub use crate::config::Device;
pub use apply::{Change, Scope, apply, changes};
pub use budget::{Budget, ModelBudget, ModelCores, budget};
pub use cost::{CostKind, Costs};
pub use fan_out::{Runs, runs_per_frame};
pub use split::{Candidate, Placement, Rate, Split, splits};
pub use suggestion::{ModelSettings, Suggestion, suggest};
pub use suggestion_table::{render_suggestion, suggestion_to_json};
pub use table::{render, to_json};
