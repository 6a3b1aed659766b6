//! Calibration: what the activations of the float network are on representative images, and the ranges chosen from it.

mod convolution;
mod direct;
mod engine;
mod histogram;
mod lanes;
mod observe;
mod range;
mod samples;
mod sampling;
mod winograd;

pub use engine::FloatEngine;
pub use histogram::{Counter, Detail, Histogram, Observation};
pub use lanes::{LaneStatistics, lanes};
pub use observe::{Asked, Observed, Observer, Seen, for_each_index, in_order, load_sample};
pub use range::{Scheme, choose_range};
pub use samples::{Remembered, Samples, Watch};
pub use sampling::Sampling;
