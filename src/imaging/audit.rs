//! What a set of images is like, told while they are read for calibration: repeated, blank and tiny ones, and numbers that
//! a trained network would not expect. Each image leaves a few numbers ([`Portrait`]), so that a set of any size is
//! looked at in one pass.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::ImagingError;
use super::Layout;
use super::Picture;
use super::Preprocess;
use super::PreprocessOperator;
use super::decode;
use crate::base::Digest;

/// Pixels of a picture that are looked at, evenly spread: enough to know a blank one by.
const PIXELS: usize = 1 << 16;

/// A picture is blank when so many of its pixels are of one brightness, to within one of 255 steps.
const BLANK: f64 = 0.995;

/// A picture is tiny when it is so many times smaller than the network's input along an axis.
const TINY: usize = 2;

/// Means beyond this, and deviations below the other, are not what `normalize` is meant to make.
const MEAN_LIMIT: f64 = 10.0;
const LEAST_DEVIATION: f64 = 0.05;

/// What is remembered of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Portrait {
    digest: Digest,
    size: [usize; 2],
    blank: bool,
    brightest: u8,
    channels: Vec<Sums>,
    grey: bool,
}

/// Sums over the values of one channel.
#[derive(Debug, Clone, PartialEq)]
struct Sums {
    count: usize,
    sum: f64,
    squares: f64,
    least: f32,
    greatest: f32,
}

impl Sums {
    fn none() -> Self {
        Self { count: 0, sum: 0.0, squares: 0.0, least: f32::INFINITY, greatest: f32::NEG_INFINITY }
    }

    fn add(&mut self, value: f32) {
        self.count += 1;
        self.sum += f64::from(value);
        self.squares += f64::from(value) * f64::from(value);
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
    }

    fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }
}

/// One channel of the network's input over all calibration images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelStatistics {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
    /// The smallest value.
    pub min: f32,
    /// The largest value.
    pub max: f32,
}

/// Something that is odd about the images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The code of the diagnostic that tells of it.
    pub code: String,
    /// What is odd, without the images.
    pub message: String,
    /// The images concerned, by role: `calibration/000003`. Empty where it is about all of them.
    pub images: Vec<String>,
}

/// What the images of one quantization are like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// Calibration images.
    pub images: usize,
    /// The channels of the network's input over these.
    pub channels: Vec<ChannelStatistics>,
    /// What is odd.
    pub findings: Vec<Finding>,
}

impl Portrait {
    /// Looks at an image: its file and its pixels as they were decoded.
    pub(super) fn of(bytes: &[u8], picture: &Picture) -> Self {
        let (blank, brightest) = brightness(picture);
        let size = [picture.width(), picture.height()];
        Self { digest: Digest::of(bytes), size, blank, brightest, channels: Vec::new(), grey: is_grey(picture) }
    }

    /// Looks at an image file alone, where something else makes the tensor.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn of_file(bytes: &[u8]) -> Result<Self, ImagingError> {
        Ok(Self::of(bytes, &decode(bytes)?))
    }

    /// Adds what the network gets for it.
    pub(super) fn measured(self, tensor: &[f32], preprocess: &Preprocess) -> Self {
        let [_, count, height, width] = preprocess.layout.to_nchw(preprocess.shape);
        let mut channels = vec![Sums::none(); count];
        if preprocess.layout == Layout::Nhwc {
            for pixel in tensor.chunks_exact(count.max(1)) {
                channels.iter_mut().zip(pixel).for_each(|(sums, &value)| sums.add(value));
            }
        } else {
            for (sums, plane) in channels.iter_mut().zip(tensor.chunks_exact((height * width).max(1))) {
                for &value in plane {
                    sums.add(value);
                }
            }
        }
        Self { channels, ..self }
    }

    fn is_tiny(&self, input: [usize; 2]) -> bool {
        self.size.iter().zip(input).any(|(side, wanted)| side.saturating_mul(TINY) < wanted)
    }
}

/// The pixels that are looked at.
fn some_pixels(picture: &Picture) -> impl Iterator<Item = &[u8]> {
    let stride = (picture.width() * picture.height()).div_ceil(PIXELS).max(1);
    picture.pixels().chunks_exact(picture.color().channels()).step_by(stride)
}

fn is_grey(picture: &Picture) -> bool {
    some_pixels(picture).all(|pixel| pixel.iter().take(3).all(|byte| Some(byte) == pixel.first()))
}

/// Whether nearly all pixels are equally bright, and how bright the brightest is. A mask of 0 and 1 is not blank.
fn brightness(picture: &Picture) -> (bool, u8) {
    let mut counts = [0_usize; 256];
    let mut brightest = 0;
    for pixel in some_pixels(picture) {
        let colors = &pixel[..pixel.len().min(3)];
        let sum: usize = colors.iter().map(|&byte| usize::from(byte)).sum();
        counts[sum / colors.len().max(1)] += 1;
        brightest = colors.iter().copied().fold(brightest, u8::max);
    }
    let total: usize = counts.iter().sum();
    let most = counts.windows(3).map(|three| three.iter().sum::<usize>()).max().unwrap_or(0);
    (brightest != 1 && most as f64 >= BLANK * total as f64, brightest)
}

/// The roles of images.
fn roles(role: &str, places: impl Iterator<Item = usize>) -> Vec<String> {
    places.map(|place| format!("{role}/{place:06}")).collect()
}

/// "1 is", "3 are".
fn are(count: usize) -> String {
    if count == 1 { "1 is".to_owned() } else { format!("{count} are") }
}

impl Audit {
    /// What is to be said of the calibration images and of the held-out ones, by their places; `None` without any.
    #[must_use]
    pub fn of(
        calibration: &BTreeMap<usize, Portrait>,
        held_out: &BTreeMap<usize, Portrait>,
        preprocess: &Preprocess,
    ) -> Option<Self> {
        let first = calibration.values().next()?;
        let mut sums = vec![Sums::none(); first.channels.len()];
        for portrait in calibration.values() {
            sums.iter_mut().zip(&portrait.channels).for_each(|(sums, own)| sums.join(own));
        }
        let channels: Vec<ChannelStatistics> = sums.iter().map(statistics).collect();
        let mut audit = Self { images: calibration.len(), channels, findings: Vec::new() };
        audit.about_images(calibration, held_out, preprocess);
        if !calibration.values().all(|portrait| portrait.blank) {
            audit.about_channels(calibration, preprocess);
            audit.about_scale(calibration, preprocess);
        }
        Some(audit)
    }

    fn find(&mut self, code: &str, message: String, images: Vec<String>) {
        self.findings.push(Finding { code: code.to_owned(), message, images });
    }

    fn about_images(
        &mut self,
        calibration: &BTreeMap<usize, Portrait>,
        held_out: &BTreeMap<usize, Portrait>,
        preprocess: &Preprocess,
    ) {
        let mut seen = BTreeSet::new();
        let repeated: Vec<usize> =
            calibration.iter().filter(|(_, one)| !seen.insert(one.digest)).map(|(&place, _)| place).collect();
        if !repeated.is_empty() {
            let copies = if repeated.len() == 1 { "a copy of another" } else { "copies of others" };
            let message = format!("of {} calibration images {} {copies}", self.images, are(repeated.len()));
            self.find("images/duplicate", message, roles("calibration", repeated.into_iter()));
        }
        let shared = held_out.iter().filter(|(_, one)| seen.contains(&one.digest)).map(|(&place, _)| place);
        let shared = roles("evaluation", shared);
        if !shared.is_empty() {
            let message = format!("of {} held-out images {} also calibrated on", held_out.len(), are(shared.len()));
            self.find("images/held-out", message, shared);
        }
        let blank = calibration.iter().filter(|(_, one)| one.blank).map(|(&place, _)| place);
        let blank = roles("calibration", blank);
        if !blank.is_empty() {
            let message = format!("of {} calibration images {} blank", self.images, are(blank.len()));
            self.find("images/blank", message, blank);
        }
        let [_, _, height, width] = preprocess.layout.to_nchw(preprocess.shape);
        let tiny = calibration.iter().filter(|(_, one)| one.is_tiny([width, height])).map(|(&place, _)| place);
        let tiny = roles("calibration", tiny);
        if !tiny.is_empty() {
            let message = format!(
                "of {} calibration images {} smaller than half of the network's {width}x{height}",
                self.images,
                are(tiny.len())
            );
            self.find("images/small", message, tiny);
        }
    }

    fn about_channels(&mut self, calibration: &BTreeMap<usize, Portrait>, preprocess: &Preprocess) {
        let constant = self.channels.iter().enumerate().filter(|(_, channel)| channel.max <= channel.min);
        let constant: Vec<String> =
            constant.map(|(place, channel)| format!("channel {place} is {} in every image", channel.min)).collect();
        if !constant.is_empty() {
            self.find("images/channels", constant.join("; "), Vec::new());
        } else if preprocess.input_color.channels() > 1
            && self.channels.len() > 1
            && calibration.values().all(|portrait| portrait.grey)
        {
            let message = "every calibration image is grey, and the network takes colors".to_owned();
            self.find("images/channels", message, Vec::new());
        }
    }

    fn about_scale(&mut self, calibration: &BTreeMap<usize, Portrait>, preprocess: &Preprocess) {
        if calibration.values().all(|portrait| portrait.brightest <= 1) {
            let message = "no pixel of the calibration images is brighter than 1 of 255".to_owned();
            self.find("images/scale", message, Vec::new());
            return;
        }
        let normalizes = |operator: &PreprocessOperator| matches!(operator, PreprocessOperator::Normalize { .. });
        if !preprocess.operators.iter().any(normalizes) {
            return;
        }
        let worst = self
            .channels
            .iter()
            .map(|channel| channel.mean)
            .fold(0.0, |worst: f64, mean| if mean.abs() > worst.abs() { mean } else { worst });
        let widest = self.channels.iter().map(|channel| channel.deviation).fold(0.0, f64::max);
        if worst.abs() > MEAN_LIMIT {
            let message = format!("after `normalize` the mean of a channel is {worst:.2}; expected one near 0");
            self.find("images/scale", message, Vec::new());
        } else if widest < LEAST_DEVIATION {
            let message = format!("after `normalize` no channel deviates by more than {widest:.4}; expected about 1");
            self.find("images/scale", message, Vec::new());
        }
    }

    /// The audit for people: one line for the channels, one for each finding.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let channels = self.channels.iter().map(|channel| {
            let ChannelStatistics { mean, deviation, min, max } = channel;
            format!("mean {mean:.3}, deviation {deviation:.3}, {min:.3} to {max:.3}")
        });
        let _ = writeln!(text, "input channels: {}", channels.collect::<Vec<_>>().join("; "));
        for finding in &self.findings {
            let _ = writeln!(text, "warning[{}]: {}", finding.code, finding.told(finding.images.iter()));
        }
        text
    }
}

impl Finding {
    /// The message, with the first of `images` behind it.
    #[must_use]
    pub fn told<T: AsRef<str>>(&self, images: impl ExactSizeIterator<Item = T>) -> String {
        const SHOWN: usize = 5;
        let count = images.len();
        let mut names: Vec<String> = images.take(SHOWN).map(|name| format!("`{}`", name.as_ref())).collect();
        if count > SHOWN {
            names.push(format!("and {} more", count - SHOWN));
        }
        let colon = if names.is_empty() { "" } else { ": " };
        format!("{}{colon}{}", self.message, names.join(", "))
    }
}

fn statistics(sums: &Sums) -> ChannelStatistics {
    let count = sums.count.max(1) as f64;
    let mean = sums.sum / count;
    let deviation = (sums.squares / count - mean * mean).max(0.0).sqrt();
    ChannelStatistics { mean, deviation, min: sums.least, max: sums.greatest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::ColorFormat;
    use crate::imaging::Layout;

    /// A picture of 8 x 8 pixels by a formula of column and row.
    fn picture(pixel: impl Fn(u8, u8) -> [u8; 3]) -> Picture {
        let pixels = (0..64_u8).flat_map(|place| pixel(place % 8, place / 8)).collect();
        Picture::new(8, 8, ColorFormat::Rgb, pixels).expect("a picture")
    }

    fn slope(x: u8, y: u8) -> [u8; 3] {
        [x * 30, y * 30, 255 - x * 30]
    }

    fn preprocess(scale: bool, normalize: Option<(f32, f32)>, layout: Layout) -> Preprocess {
        let mut operators = vec![PreprocessOperator::TorchToTensor { scale }];
        if let Some((mean, std)) = normalize {
            operators.push(PreprocessOperator::Normalize { mean: vec![mean], std: vec![std] });
        }
        Preprocess { operators, input_color: ColorFormat::Rgb, layout, shape: layout.from_nchw([1, 3, 8, 8]) }
    }

    /// The audit of pictures; a picture's own pixels stand for its file.
    fn audit(calibration: &[Picture], held_out: &[Picture], preprocess: &Preprocess) -> Audit {
        let portraits = |pictures: &[Picture]| {
            let all = pictures.iter().enumerate();
            all.map(|(place, one)| {
                let tensor = preprocess.run(one).expect("a tensor");
                (place, Portrait::of(one.pixels(), one).measured(&tensor, preprocess))
            })
            .collect::<BTreeMap<_, _>>()
        };
        Audit::of(&portraits(calibration), &portraits(held_out), preprocess).expect("images")
    }

    fn codes(audit: &Audit) -> Vec<&str> {
        audit.findings.iter().map(|finding| finding.code.as_str()).collect()
    }

    #[test]
    fn what_is_odd_is_found_and_nothing_else() {
        /// Calibration pictures, whether `torch-totensor` scales, mean and deviation of `normalize`, the codes.
        type Case = (&'static str, Vec<Picture>, bool, Option<(f32, f32)>, &'static [&'static str]);
        let other = || picture(|x, y| [y * 30, x * 30, x * y]);
        let cases: [Case; 10] = [
            ("as it should be", vec![picture(slope), other()], true, Some((0.5, 0.25)), &[]),
            ("without `normalize`", vec![picture(slope), other()], false, None, &[]),
            ("the same twice", vec![picture(slope), other(), picture(slope)], true, None, &["images/duplicate"]),
            (
                "one of one color",
                vec![picture(slope), picture(|x, _| [90 + x % 2, 90, 90])],
                true,
                None,
                &["images/blank"],
            ),
            ("all of one color", vec![picture(|_, _| [9; 3])], true, Some((0.5, 0.25)), &["images/blank"]),
            ("grey", vec![picture(|x, y| [x * y * 4; 3])], true, None, &["images/channels"]),
            (
                "a channel that says nothing",
                vec![picture(|x, y| [x * 30, 7, y * 30])],
                true,
                None,
                &["images/channels"],
            ),
            ("a mask", vec![picture(|x, y| [x % 2, y % 2, (x + y) % 2])], true, None, &["images/scale"]),
            ("not scaled", vec![picture(slope)], false, Some((0.5, 0.25)), &["images/scale"]),
            ("scaled twice", vec![picture(slope)], true, Some((127.5, 127.5)), &["images/scale"]),
        ];
        for (what, pictures, scale, normalize, expected) in cases {
            let found = audit(&pictures, &[], &preprocess(scale, normalize, Layout::Nchw));
            assert_eq!(codes(&found), expected, "{what}: {found:#?}");
        }
    }

    #[test]
    fn held_out_images_are_not_those_of_calibration() {
        let other = picture(|x, y| [y * 30, x * 30, x * y]);
        let found = audit(&[picture(slope)], &[other, picture(slope)], &preprocess(true, None, Layout::Nchw));
        assert_eq!(codes(&found), ["images/held-out"]);
        assert_eq!(found.findings[0].images, ["evaluation/000001"]);
        let told = found.findings[0].told(found.findings[0].images.iter());
        assert_eq!(told, "of 2 held-out images 1 is also calibrated on: `evaluation/000001`");
    }

    #[test]
    fn tiny_images_are_those_of_less_than_half_the_side() {
        let small = |width: usize, height: usize| {
            let pixels = (0..width * height * 3).map(|place| (place * 37 % 251) as u8).collect();
            Picture::new(width, height, ColorFormat::Rgb, pixels).expect("a picture")
        };
        for (width, height, expected) in [(4, 4, false), (3, 8, true), (8, 3, true), (30, 30, false)] {
            let one = small(width, height);
            assert_eq!(Portrait::of(one.pixels(), &one).is_tiny([8, 8]), expected, "{width}x{height}");
        }
    }

    #[test]
    fn statistics_are_the_same_in_every_layout() {
        let pictures = [picture(slope), picture(|x, y| [1, x, y])];
        let channels = |layout| audit(&pictures, &[], &preprocess(false, None, layout)).channels;
        let nchw = channels(Layout::Nchw);
        assert_eq!(nchw, channels(Layout::Nhwc));
        assert_eq!(nchw, channels(Layout::Chwn));
        assert_eq!((nchw[0].min, nchw[0].max), (0.0, 210.0));
        // Half of the values are 1, the other half 0, 30, … 210.
        assert!((nchw[0].mean - 53.0).abs() < 1e-9, "{:?}", nchw[0]);
    }
}
