//! Scales the pixels of a picture.

use fast_image_resize::FilterType;
use fast_image_resize::PixelType;
use fast_image_resize::ResizeAlg;
use fast_image_resize::ResizeOptions;
use fast_image_resize::Resizer;
use fast_image_resize::images::Image;
use fast_image_resize::images::ImageRef;

use super::ImagingError;
use super::Picture;
use super::operator::Interpolation;
use super::picture::bytes;

/// `picture` at `width` x `height` pixels. Without `half_pixel_centers` as Pillow's `resize`: filters widen when
/// scaling down. With it as OpenCV's `resize`: the filter's width is fixed. The same size is the same picture.
pub(super) fn resample(
    what: &'static str,
    picture: Picture,
    width: usize,
    height: usize,
    interpolation: Interpolation,
    half_pixel_centers: bool,
) -> Result<Picture, ImagingError> {
    if (width, height) == (picture.width(), picture.height()) {
        return Ok(picture);
    }
    bytes(what, width, height, picture.color())?;
    let filter = match interpolation {
        Interpolation::Nearest => return nearest(&picture, width, height, half_pixel_centers),
        Interpolation::Bilinear => FilterType::Bilinear,
        Interpolation::Bicubic => FilterType::CatmullRom,
        Interpolation::Lanczos => FilterType::Lanczos3,
    };
    let algorithm = if half_pixel_centers { ResizeAlg::Interpolation(filter) } else { ResizeAlg::Convolution(filter) };
    // Rows first, then columns, as Pillow does: with filters that overshoot, the bytes between the passes are clipped,
    // so the order shows in the result. The library would choose the order by cost.
    let rows = (width, picture.height());
    bytes(what, rows.0, rows.1, picture.color())?;
    let picture = pass(picture, rows.0, rows.1, algorithm)?;
    pass(picture, width, height, algorithm)
}

/// One pass of a filter over rows or columns.
fn pass(picture: Picture, width: usize, height: usize, algorithm: ResizeAlg) -> Result<Picture, ImagingError> {
    if (width, height) == (picture.width(), picture.height()) {
        return Ok(picture);
    }
    let kind = match picture.color().channels() {
        1 => PixelType::U8,
        3 => PixelType::U8x3,
        _ => PixelType::U8x4,
    };
    // Sides are at most 16,384 (checked by the caller and by `Picture`), so they fit, and the library has nothing to
    // refuse; if it does all the same, its words are handed on.
    let failed = |error: String| ImagingError::Undecodable(error);
    let source = ImageRef::new(picture.width() as u32, picture.height() as u32, picture.pixels(), kind)
        .map_err(|error| failed(error.to_string()))?;
    let mut target = Image::new(width as u32, height as u32, kind);
    let options = ResizeOptions::new().resize_alg(algorithm).use_alpha(false);
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| failed(error.to_string()))?;
    Picture::new(width, height, picture.color(), target.into_vec())
}

/// Pillow takes the pixel under the centre of each new pixel, OpenCV the one under its corner.
fn nearest(picture: &Picture, width: usize, height: usize, corner: bool) -> Result<Picture, ImagingError> {
    let columns = places(picture.width(), width, corner);
    let rows = places(picture.height(), height, corner);
    let channels = picture.color().channels();
    let all: Vec<&[u8]> = picture.rows().collect();
    let mut pixels = Vec::with_capacity(width * height * channels);
    for row in rows.iter().filter_map(|&row| all.get(row)) {
        for &column in &columns {
            pixels.extend(row.iter().skip(column * channels).take(channels));
        }
    }
    Picture::new(width, height, picture.color(), pixels)
}

/// For each of `to` new places the old one, of `from`. The centre moves by repeated addition because Pillow's does,
/// and its rounding decides ties.
fn places(from: usize, to: usize, corner: bool) -> Vec<usize> {
    let step = from as f64 / to as f64;
    let mut center = step * 0.5;
    let place = |index: usize| {
        let place = if corner { (index as f64 * step).floor() } else { center.floor() };
        center += step;
        (place as usize).min(from.saturating_sub(1))
    };
    (0..to).map(place).collect()
}
