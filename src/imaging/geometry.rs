//! The operators that change a picture's size, with the rounding of torchvision and of the SDK's letterbox.

use super::ImagingError;
use super::Picture;
use super::operator::{Interpolation, ResizeTarget};
use super::resample::resample;

/// `resize`.
pub(super) fn resize(
    picture: Picture,
    target: ResizeTarget,
    interpolation: Interpolation,
    half_pixel_centers: bool,
) -> Result<Picture, ImagingError> {
    let (width, height) = resized(picture.width(), picture.height(), target, half_pixel_centers);
    resample("the result of `resize`", picture, width, height, interpolation, half_pixel_centers)
}

/// The size that `resize` makes of `width` x `height`, never 0. The longer side is rounded down, as torchvision does;
/// the OpenCV way multiplies by a rounded scale, which can differ by one.
fn resized(width: usize, height: usize, target: ResizeTarget, half_pixel_centers: bool) -> (usize, usize) {
    match target {
        ResizeTarget::Exactly { width, height } => (width, height),
        ResizeTarget::SmallerSide(size) if half_pixel_centers => {
            let scale = size as f64 / width.min(height) as f64;
            let side = |length: usize| ((length as f64 * scale) as usize).max(1);
            (side(width), side(height))
        }
        ResizeTarget::SmallerSide(size) => {
            let longer = (size * width.max(height)) / width.min(height).max(1);
            if width <= height { (size, longer) } else { (longer, size) }
        }
    }
}

/// `centercrop`, as torchvision's `center_crop`.
pub(super) fn center_crop(picture: Picture, width: usize, height: usize) -> Result<Picture, ImagingError> {
    let mut picture = picture;
    if picture.width() < width || picture.height() < height {
        let framed = (picture.width().max(width), picture.height().max(height));
        let mut frame = Picture::filled("the result of `centercrop`", framed.0, framed.1, picture.color(), 0)?;
        let before = |frame: usize, side: usize| (frame - side) / 2;
        frame.paste(&picture, before(framed.0, picture.width()), before(framed.1, picture.height()));
        picture = frame;
    }
    if (picture.width(), picture.height()) == (width, height) {
        return Ok(picture);
    }
    picture.crop(middle(picture.width() - width), middle(picture.height() - height), width, height)
}

/// Half of it; the half of an odd number to the even side, as Python's `round` does.
fn middle(rest: usize) -> usize {
    (rest as f64 / 2.0).round_ties_even() as usize
}

/// `letterbox`: the picture scaled by the smaller of the two ratios and put into the middle; of an odd rest the larger
/// half lies below and to the right.
pub(super) fn letterbox(
    picture: Picture,
    width: usize,
    height: usize,
    scaleup: bool,
    half_pixel_centers: bool,
    pad_val: u8,
) -> Result<Picture, ImagingError> {
    let ratio = (height as f64 / picture.height() as f64).min(width as f64 / picture.width() as f64);
    let ratio = if scaleup { ratio } else { ratio.min(1.0) };
    // A very long picture would get a side of 0 pixels; Pillow refuses that, one pixel is as good as none.
    let side = |length: usize, frame: usize| {
        let scaled = (length as f64 * ratio).round_ties_even() as usize;
        scaled.clamp(1, frame)
    };
    let inner = (side(picture.width(), width), side(picture.height(), height));
    let what = "the result of `letterbox`";
    let scaled = resample(what, picture, inner.0, inner.1, Interpolation::Bilinear, half_pixel_centers)?;
    let mut frame = Picture::filled(what, width, height, scaled.color(), pad_val)?;
    let before = |frame: usize, side: usize| ((frame - side) as f64 / 2.0 - 0.1).round_ties_even() as usize;
    frame.paste(&scaled, before(width, inner.0), before(height, inner.1));
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::ColorFormat;

    #[test]
    fn the_smaller_side_rules() {
        let size = ResizeTarget::SmallerSide(256);
        let exact = ResizeTarget::Exactly { width: 3, height: 4 };
        assert_eq!(resized(640, 427, size, false), (383, 256));
        assert_eq!(resized(427, 640, size, false), (256, 383));
        assert_eq!(resized(640, 427, size, true), (383, 256));
        assert_eq!(resized(640, 427, exact, false), (3, 4));
    }

    /// Where the one white row of a 1-row picture lands in a frame of 4 x 4.
    #[test]
    fn an_odd_rest_goes_below() {
        let row = Picture::filled("a test", 4, 1, ColorFormat::Gray, 255).expect("small");
        let framed = letterbox(row, 4, 4, true, false, 114).expect("small");
        let firsts: Vec<u8> = framed.rows().map(|row| row[0]).collect();
        assert_eq!(firsts, [114, 255, 114, 114]);
    }

    #[test]
    fn a_small_picture_is_padded_before_it_is_cropped() {
        let picture = Picture::new(3, 1, ColorFormat::Gray, vec![1, 2, 3]).expect("small");
        let cropped = center_crop(picture, 2, 4).expect("small");
        assert_eq!((cropped.width(), cropped.height()), (2, 4));
        assert_eq!(cropped.pixels(), [0, 0, 1, 2, 0, 0, 0, 0]);
    }

    #[test]
    fn a_result_that_would_be_huge_is_refused() {
        let thin = Picture::filled("a test", 1, 16_000, ColorFormat::Gray, 0).expect("small");
        let target = ResizeTarget::SmallerSide(256);
        assert!(matches!(
            resize(thin, target, Interpolation::Bilinear, false),
            Err(ImagingError::TooLarge { what: "the result of `resize`", .. })
        ));
    }
}
