//! A picture as numbers: one plane a channel, and the operators on them.

use super::ColorFormat;
use super::ImagingError;
use ndarray::ArrayView3;

use super::Layout;
use super::Picture;
use super::operator::Conversion;

/// Channels of `height * width` numbers each, channel after channel.
pub(super) struct Planes {
    color: ColorFormat,
    height: usize,
    width: usize,
    values: Vec<f32>,
}

impl Planes {
    /// `torch-totensor`: the pixels as numbers, from 0 to 1 with `scale`, else from 0 to 255.
    pub(super) fn new(picture: &Picture, scale: bool) -> Self {
        let (color, height, width) = (picture.color(), picture.height(), picture.width());
        let divisor = if scale { 255.0 } else { 1.0 };
        let channels = color.channels();
        let mut values = Vec::with_capacity(picture.pixels().len());
        for channel in 0..channels {
            let plane = picture.pixels().iter().skip(channel).step_by(channels);
            values.extend(plane.map(|&pixel| f32::from(pixel) / divisor));
        }
        Self { color, height, width, values }
    }

    /// Batch, channels, height, width.
    pub(super) fn shape(&self) -> [usize; 4] {
        [1, self.color.channels(), self.height, self.width]
    }

    /// Each number of each channel through `function`, which also gets the channel's value of `a` and `b`.
    fn each(&mut self, a: &[f32], b: &[f32], function: impl Fn(f32, f32, f32) -> f32) {
        let area = self.height * self.width;
        for (channel, plane) in self.values.chunks_exact_mut(area).enumerate() {
            let of = |values: &[f32]| values.get(channel).or(values.first()).copied().unwrap_or_default();
            let (a, b) = (of(a), of(b));
            for value in plane {
                *value = function(*value, a, b);
            }
        }
    }

    /// `normalize`.
    pub(super) fn normalize(&mut self, mean: &[f32], std: &[f32]) {
        self.each(mean, std, |value, mean, std| (value - mean) / std);
    }

    /// `linear-scaling`.
    pub(super) fn scale(&mut self, mean: &[f32], shift: &[f32]) {
        self.each(mean, shift, |value, mean, shift| value / mean + shift);
    }

    /// `convert-color` after `torch-totensor`: planes change places or repeat. Brightness of numbers is not defined, so
    /// conversions to grey are refused there.
    pub(super) fn convert(&mut self, format: Conversion) -> Result<(), ImagingError> {
        let area = self.height * self.width;
        match format {
            Conversion::RgbToBgr | Conversion::BgrToRgb => {
                let (first, rest) = self.values.split_at_mut(area);
                let last = rest.chunks_exact_mut(area).last().unwrap_or_default();
                first.swap_with_slice(last);
            }
            Conversion::GrayToRgb | Conversion::GrayToBgr => self.values = self.values.repeat(3),
            Conversion::RgbToGray | Conversion::BgrToGray => {
                return Err(ImagingError::AfterTensor { operator: "convert-color" });
            }
        }
        self.color = format.to();
        Ok(())
    }

    /// The numbers in the order of `layout`, for a batch of one.
    pub(super) fn into_layout(self, layout: Layout) -> Vec<f32> {
        // With a batch of one, CHWN is the order of NCHW.
        if layout != Layout::Nhwc {
            return self.values;
        }
        let channels = self.values.len() / (self.height * self.width).max(1);
        ArrayView3::from_shape((channels, self.height, self.width), &self.values)
            .map(|planes| planes.permuted_axes([1, 2, 0]).iter().copied().collect())
            .unwrap_or_default()
    }
}
