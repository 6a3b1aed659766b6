//! Calibration: what the activations of the float network are on representative images, and the ranges chosen from it.

mod direct;
mod engine;
mod histogram;
mod observe;
mod range;
mod samples;

pub use engine::FloatEngine;
pub use histogram::{BINS, Histogram, Observation};
pub use observe::{for_each_index, load_sample, observe};
pub use range::{Scheme, choose_range};
pub use samples::{Samples, Watch};
