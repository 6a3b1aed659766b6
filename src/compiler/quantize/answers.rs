//! What float and int8 answer, compared: the classes that they name, and signal against noise. For evaluating a network, and
//! what the host computes behind it.

use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::quantize::Agreement;

/// The classes that float and int8 name on one image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Classes {
    /// The largest element of the float output.
    pub(crate) float: usize,
    /// The largest element of the int8 output.
    pub(crate) int8: usize,
    /// The class that the image shows, where that is known.
    pub(crate) label: Option<usize>,
}

/// The place of the first of the largest elements.
pub(crate) fn largest<T: PartialOrd + Copy>(values: &[T]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// Signal to noise; `None` where either is nothing, or beyond what can be said.
pub(crate) fn decibels(signal: f64, noise: f64) -> Option<f64> {
    let is_said = signal > 0.0 && noise > 0.0 && signal.is_finite() && noise.is_finite();
    is_said.then(|| 10.0 * libm::log10(signal / noise))
}

/// The failure of a comparison with float that is no number.
pub(crate) fn not_finite(output: &str) -> StageError {
    let message = format!("`{output}` becomes infinite or not a number in float on the evaluation images");
    StageError::new(Status::QtoolsError, message)
        .hint("check that these images are like those for calibration: int8 cannot be compared with that")
}

/// Whether an output of this shape has one number for each of so many classes: one axis has them, the others nothing.
pub(crate) fn names_classes(shape: &[usize], classes: usize) -> bool {
    classes > 1 && shape.contains(&classes) && shape.iter().filter(|&&size| size != 1).count() == 1
}

/// How often float and int8 name one class, and the right one, over some images.
pub(crate) fn agreement(output: &str, classes: &[Classes]) -> Agreement {
    let labelled: Vec<_> = classes.iter().filter_map(|classes| Some((classes, classes.label?))).collect();
    let share = |count: usize, of: usize| count as f64 / of as f64;
    let right = |class: fn(&Classes) -> usize| {
        let count = labelled.iter().filter(|(classes, label)| class(classes) == *label).count();
        (!labelled.is_empty()).then(|| share(count, labelled.len()))
    };
    Agreement {
        output: output.to_owned(),
        images: classes.len(),
        top1_agreement: share(
            classes.iter().filter(|classes| classes.float == classes.int8).count(),
            classes.len().max(1),
        ),
        labelled: labelled.len(),
        float_top1: right(|classes| classes.float),
        int8_top1: right(|classes| classes.int8),
    }
}
