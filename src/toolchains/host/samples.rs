//! What the quantizer calibrates and measures on: images through the card's preprocess, or random data.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::base::SplitMix;
use crate::base::fs;
use crate::base::npy::Array;
use crate::base::npy::Elements;
use crate::base::tidy;
use crate::compiler::calibrate::Samples;
use crate::imaging::Portrait;
use crate::imaging::Preprocess;

/// Bytes that an image file may have; a picture as large as can be decoded has no more.
const FILE_LIMIT: u64 = 512 << 20;

/// Image files through a preprocess; each is read when it is needed and let go.
pub(super) struct Images<'a> {
    pub(super) files: Vec<&'a Path>,
    pub(super) preprocess: &'a Preprocess,
    /// The class of each image, or empty.
    pub(super) labels: &'a [usize],
    /// What to call the images in messages: roles hide the names that users know.
    pub(super) what: &'static str,
    /// What is remembered of each image that was read, by its place.
    pub(super) portraits: Mutex<BTreeMap<usize, Portrait>>,
}

impl Images<'_> {
    /// What is remembered of the images that were read.
    pub(super) fn seen(&self) -> BTreeMap<usize, Portrait> {
        self.portraits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Samples for Images<'_> {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn load(&self, index: usize) -> Result<Vec<Vec<f32>>, String> {
        let path = self.files.get(index).ok_or_else(|| format!("there is no {} image {index}", self.what))?;
        let bytes = fs::read_limited(path, FILE_LIMIT).map_err(|error| error.shown_as(tidy(path)).to_string())?;
        let described = |error| format!("{} image `{}`: {error}", self.what, tidy(path).display());
        let is_known = self.portraits.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&index);
        if is_known {
            return Ok(vec![self.preprocess.run_bytes(&bytes).map_err(described)?]);
        }
        let (tensor, portrait) = self.preprocess.run_observed(&bytes).map_err(described)?;
        self.portraits.lock().unwrap_or_else(PoisonError::into_inner).insert(index, portrait);
        Ok(vec![tensor])
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.labels.get(index).copied()
    }
}

/// Tensors in `.npy` files, each as it goes into the network.
pub(super) struct Tensors<'a> {
    pub(super) files: Vec<&'a Path>,
    /// The shape of the network's input; a file may leave a batch of 1 out.
    pub(super) shape: &'a [usize],
    /// What to call the tensors in messages.
    pub(super) what: &'static str,
}

impl Samples for Tensors<'_> {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn load(&self, index: usize) -> Result<Vec<Vec<f32>>, String> {
        let what = self.what;
        let path = self.files.get(index).ok_or_else(|| format!("there is no {what} tensor {index}"))?;
        let bytes = fs::read_limited(path, FILE_LIMIT).map_err(|error| error.shown_as(tidy(path)).to_string())?;
        let array = Array::parse(&bytes).map_err(|error| format!("{what} tensor {index}: {error}"))?;
        let (shape, Elements::F32(tensor)) = (array.shape, array.elements) else {
            return Err(format!("{what} tensor {index} holds int8, expected 32-bit floats"));
        };
        if shape != self.shape && self.shape.strip_prefix(&[1]) != Some(&shape) {
            let expected = self.shape;
            return Err(format!("{what} tensor {index} has the shape {shape:?}, the network's input has {expected:?}"));
        }
        Ok(vec![tensor])
    }

    fn label(&self, _index: usize) -> Option<usize> {
        None
    }
}

/// Uniform numbers from 0 to 1 by a seed: only with the user's consent, since their ranges mean nothing.
pub(super) struct Random {
    pub(super) seed: u64,
    pub(super) count: usize,
    pub(super) elements: usize,
}

impl Samples for Random {
    fn len(&self) -> usize {
        self.count
    }

    fn load(&self, index: usize) -> Result<Vec<Vec<f32>>, String> {
        let mut numbers = SplitMix::new(self.seed ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let tensor = (0..self.elements).map(|_| (numbers.draw() >> 40) as f32 / 16_777_216.0).collect();
        Ok(vec![tensor])
    }

    fn label(&self, _index: usize) -> Option<usize> {
        None
    }
}
