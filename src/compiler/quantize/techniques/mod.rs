//! Which techniques are applied: each is tried after the ones before it, and kept where the outputs of some calibration
//! images come closer to float. Images that a technique fits itself to are not those it is judged on, and held-out ones
//! are neither.

mod clipping;
mod gain;
mod improve;
mod trial;

pub(super) use improve::{Improved, improve};
