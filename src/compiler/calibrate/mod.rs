//! Running the float network over calibration images.

mod engine;

pub use engine::FloatEngine;
