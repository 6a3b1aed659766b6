//! The operators of a task, checked as a whole and run.

use serde::{Deserialize, Serialize};

use super::ColorFormat;
use super::ImagingError;
use super::Layout;
use super::Picture;
use super::Portrait;
use super::PreprocessOperator;
use super::decode::decode;
use super::geometry;
use super::operator::ResizeTarget;
use super::planes::Planes;

/// How pictures become the input of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocess {
    /// The operators, in order.
    pub operators: Vec<PreprocessOperator>,
    /// The colours that the first operator sees (`color_format` of the task's input).
    pub input_color: ColorFormat,
    /// The order of the axes of [`Self::shape`] and of the result.
    pub layout: Layout,
    /// The model's `input_tensor_shape`, in `layout` order.
    pub shape: [usize; 4],
}

/// What one operator hands to the next.
enum Stage {
    Pixels(Picture),
    Numbers(Planes),
}

impl Preprocess {
    /// What can be wrong without a picture: the order of the operators, their colours, their numbers of values, and,
    /// where the operators fix the size, the shape. [`Self::run`] fails with the same error.
    pub fn check(&self) -> Result<(), ImagingError> {
        let mut color = self.input_color;
        let mut size = None;
        let mut is_tensor = false;
        for operator in &self.operators {
            check_stage(operator, is_tensor)?;
            color = color_after(operator, color)?;
            match operator {
                PreprocessOperator::TorchToTensor { .. } => is_tensor = true,
                PreprocessOperator::Resize { target: ResizeTarget::SmallerSide(_), .. } => size = None,
                PreprocessOperator::Resize { target: ResizeTarget::Exactly { width, height }, .. }
                | PreprocessOperator::CenterCrop { width, height }
                | PreprocessOperator::Letterbox { width, height, .. } => size = Some((*height, *width)),
                _ => {}
            }
        }
        if !is_tensor {
            return Err(ImagingError::NoTensor);
        }
        let [_, _, height, width] = self.layout.to_nchw(self.shape);
        let (height, width) = size.unwrap_or((height, width));
        self.check_shape([1, color.channels(), height, width])
    }

    /// The tensor that the model gets for a picture: `shape` numbers in `layout` order.
    pub fn run(&self, picture: &Picture) -> Result<Vec<f32>, ImagingError> {
        self.run_owned(picture.clone())
    }

    /// [`Self::run_bytes`], and what is to be remembered of the image.
    pub fn run_observed(&self, bytes: &[u8]) -> Result<(Vec<f32>, Portrait), ImagingError> {
        let picture = decode(bytes)?;
        let portrait = Portrait::of(bytes, &picture);
        let tensor = self.run_owned(picture)?;
        let portrait = portrait.measured(&tensor, self);
        Ok((tensor, portrait))
    }

    /// [`decode`] and [`Self::run`].
    pub fn run_bytes(&self, bytes: &[u8]) -> Result<Vec<f32>, ImagingError> {
        self.run_owned(decode(bytes)?)
    }

    fn run_owned(&self, picture: Picture) -> Result<Vec<f32>, ImagingError> {
        let mut stage = Stage::Pixels(picture.convert(self.input_color));
        let mut color = self.input_color;
        for operator in &self.operators {
            check_stage(operator, matches!(stage, Stage::Numbers(_)))?;
            color = color_after(operator, color)?;
            stage = match stage {
                Stage::Pixels(picture) => on_pixels(operator, picture)?,
                Stage::Numbers(planes) => Stage::Numbers(on_numbers(operator, planes)?),
            };
        }
        let Stage::Numbers(planes) = stage else { return Err(ImagingError::NoTensor) };
        self.check_shape(planes.shape())?;
        Ok(planes.into_layout(self.layout))
    }

    fn check_shape(&self, found: [usize; 4]) -> Result<(), ImagingError> {
        let found = self.layout.from_nchw(found);
        if found == self.shape { Ok(()) } else { Err(ImagingError::WrongShape { expected: self.shape, found }) }
    }
}

/// Whether an operator may stand here: before or after the picture has become a tensor.
fn check_stage(operator: &PreprocessOperator, is_tensor: bool) -> Result<(), ImagingError> {
    let name = operator.name();
    match operator {
        PreprocessOperator::Normalize { .. } | PreprocessOperator::LinearScaling { .. } if !is_tensor => {
            Err(ImagingError::BeforeTensor { operator: name })
        }
        PreprocessOperator::Resize { .. }
        | PreprocessOperator::CenterCrop { .. }
        | PreprocessOperator::Letterbox { .. }
        | PreprocessOperator::TorchToTensor { .. }
            if is_tensor =>
        {
            Err(ImagingError::AfterTensor { operator: name })
        }
        PreprocessOperator::ConvertColor { format } if is_tensor && format.to() == ColorFormat::Gray => {
            Err(ImagingError::AfterTensor { operator: name })
        }
        _ => Ok(()),
    }
}

/// The colours after an operator that sees `color`; an error where it does not fit them.
fn color_after(operator: &PreprocessOperator, color: ColorFormat) -> Result<ColorFormat, ImagingError> {
    let name = operator.name();
    let expect = |expected: ColorFormat| {
        if expected == color {
            Ok(())
        } else {
            Err(ImagingError::WrongColor { operator: name, expected, found: color })
        }
    };
    match operator {
        PreprocessOperator::Resize { input_color: Some(expected), .. } => expect(*expected)?,
        PreprocessOperator::ConvertColor { format } => {
            expect(format.from())?;
            return Ok(format.to());
        }
        PreprocessOperator::Normalize { mean: a, std: b } | PreprocessOperator::LinearScaling { mean: a, shift: b } => {
            for values in [a, b] {
                if values.len() != 1 && values.len() != color.channels() {
                    let (expected, found) = (values.len(), color.channels());
                    return Err(ImagingError::WrongChannels { operator: name, expected, found });
                }
            }
        }
        _ => {}
    }
    Ok(color)
}

fn on_pixels(operator: &PreprocessOperator, picture: Picture) -> Result<Stage, ImagingError> {
    Ok(Stage::Pixels(match *operator {
        PreprocessOperator::Resize { target, interpolation, half_pixel_centers, .. } => {
            geometry::resize(picture, target, interpolation, half_pixel_centers)?
        }
        PreprocessOperator::CenterCrop { width, height } => geometry::center_crop(picture, width, height)?,
        PreprocessOperator::Letterbox { width, height, scaleup, half_pixel_centers, pad_val } => {
            geometry::letterbox(picture, width, height, scaleup, half_pixel_centers, pad_val)?
        }
        PreprocessOperator::ConvertColor { format } => picture.convert(format.to()),
        PreprocessOperator::TorchToTensor { scale } => return Ok(Stage::Numbers(Planes::new(&picture, scale))),
        PreprocessOperator::Normalize { .. } | PreprocessOperator::LinearScaling { .. } => {
            return Err(ImagingError::BeforeTensor { operator: operator.name() });
        }
    }))
}

fn on_numbers(operator: &PreprocessOperator, mut planes: Planes) -> Result<Planes, ImagingError> {
    match operator {
        PreprocessOperator::Normalize { mean, std } => planes.normalize(mean, std),
        PreprocessOperator::LinearScaling { mean, shift } => planes.scale(mean, shift),
        PreprocessOperator::ConvertColor { format } => planes.convert(*format)?,
        _ => return Err(ImagingError::AfterTensor { operator: operator.name() }),
    }
    Ok(planes)
}
