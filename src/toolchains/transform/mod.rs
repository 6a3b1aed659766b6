//! A user's own preprocessing: a Python file with `get_preprocess_transform`, called on each image by `python3` in a process
//! group of its own; tensors come back as `.npy` files (`axcompile-cli.md`, "Real images for calibration").
//!
//! `run_transform.py` is what Python is given. It needs NumPy and the library that reads the images; PyTorch only where the
//! user's file does.

mod error;
mod process;
mod run;

pub use error::TransformError;
pub use run::{Reader, TransformRequest, run_transform};
