//! What a build would do, as data: steps that name their tool, settings and inputs, in a graph of ids.
//!
//! Nothing here knows whether a step has to run; that is decided in `exec` with what `store` holds.

mod builder;
mod graph;
mod images;
mod information;
mod origins;
mod prequantized;
mod settings;
mod step;
mod weights;
mod work;

pub use builder::{ModelRequest, NetworkRequest, Plan, PlanOptions, Unplanned, plan};
pub use graph::{Graph, GraphError};
pub use images::{EVALUATION_LIMIT, ImageFolder, Images, choose};
pub use prequantized::named_beside;
pub use settings::{
    BundleSettings, CleanSettings, FetchSettings, HOST_GRAPHS, LowerSettings, ModelInfo, PackSettings,
    QUANTIZED_MANIFEST, QuantizeSettings, Settings, readable,
};
pub use step::{Input, Step, StepId, StepKind, StepSettings};
pub use work::StepWork;
