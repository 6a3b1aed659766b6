//! Calibration: what the activations of the float network are on representative images, and the ranges chosen from it.

mod direct;
mod engine;
mod histogram;
mod lanes;
mod observe;
mod range;
mod samples;

pub use engine::FloatEngine;
pub use histogram::{Detail, Histogram, Observation};
pub use lanes::{LaneStatistics, lanes, survey};
pub use observe::{Observed, Seen, for_each_index, load_sample, observe};
pub use range::{Scheme, choose_range};
pub use samples::{Samples, Watch};
