//! From the bytes of an image file to a [`Picture`], in bounded memory.

use std::io::Cursor;

use image::DynamicImage;
use image::ImageDecoder;
use image::ImageError;
use image::ImageReader;
use image::Limits;
use image::metadata::Orientation;

use super::ColorFormat;
use super::ImagingError;
use super::Picture;
use super::picture::{BYTE_LIMIT, bytes};

/// Reads a JPEG, PNG, BMP or WebP image; which of them is told from the bytes. The result is [`ColorFormat::Gray`] for
/// grey images and [`ColorFormat::Rgb`] for all others, as Pillow's `convert("RGB")` makes it: opacity is dropped, not
/// blended; CMYK is converted without a profile; of 16 bits the upper 8 remain (Pillow clips 16-bit grey at 255
/// instead, which leaves a white picture; OpenCV does as here). The EXIF orientation is applied. Of an animation the
/// first frame is read. Damaged and cut-off images are errors, and so are sides over 16,384 pixels.
pub fn decode(bytes_read: &[u8]) -> Result<Picture, ImagingError> {
    let reader = ImageReader::new(Cursor::new(bytes_read)).with_guessed_format();
    let mut reader = reader.map_err(|error| ImagingError::Undecodable(error.to_string()))?;
    if reader.format() == Some(image::ImageFormat::Jpeg) && !has_end_of_jpeg(bytes_read) {
        return Err(ImagingError::Undecodable("the JPEG is cut short: it has no end marker".to_owned()));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(BYTE_LIMIT as u64);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(describe)?;
    let (width, height) = decoder.dimensions();
    // 16 bits a channel and opacity are dropped only after decoding, so that much is counted.
    bytes("the image", width as usize, height as usize, ColorFormat::Rgba)?;
    if decoder.total_bytes() > BYTE_LIMIT as u64 {
        return Err(too_large(width, height));
    }
    decoder.set_limits(limits).map_err(describe)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(describe)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (color, pixels) = eight_bits(image);
    Picture::new(width, height, color, pixels)
}

fn too_large(width: u32, height: u32) -> ImagingError {
    let limit = super::SIDE_LIMIT;
    ImagingError::TooLarge { what: "the image", width: width as usize, height: height as usize, limit }
}

/// Whether an end-of-image marker stands somewhere: the decoder fills a cut-off JPEG with grey and does not complain.
/// Files with something after the marker are common, so it need not be last.
fn has_end_of_jpeg(bytes: &[u8]) -> bool {
    bytes.windows(2).rev().any(|pair| pair == [0xff, 0xd9])
}

/// Grey or RGB, 8 bits a channel.
fn eight_bits(image: DynamicImage) -> (ColorFormat, Vec<u8>) {
    match image {
        DynamicImage::ImageLuma8(image) => (ColorFormat::Gray, image.into_raw()),
        DynamicImage::ImageRgb8(image) => (ColorFormat::Rgb, image.into_raw()),
        DynamicImage::ImageLumaA8(image) => (ColorFormat::Gray, first::<2, 1, _>(&image.into_raw(), |byte| byte)),
        DynamicImage::ImageRgba8(image) => (ColorFormat::Rgb, first::<4, 3, _>(&image.into_raw(), |byte| byte)),
        DynamicImage::ImageLuma16(image) => (ColorFormat::Gray, first::<1, 1, _>(&image.into_raw(), upper)),
        DynamicImage::ImageLumaA16(image) => (ColorFormat::Gray, first::<2, 1, _>(&image.into_raw(), upper)),
        DynamicImage::ImageRgb16(image) => (ColorFormat::Rgb, first::<3, 3, _>(&image.into_raw(), upper)),
        DynamicImage::ImageRgba16(image) => (ColorFormat::Rgb, first::<4, 3, _>(&image.into_raw(), upper)),
        other => (ColorFormat::Rgb, other.into_rgb8().into_raw()),
    }
}

fn upper(value: u16) -> u8 {
    (value >> 8) as u8
}

/// The first `KEPT` of every `ALL` channels.
fn first<const ALL: usize, const KEPT: usize, T: Copy>(values: &[T], to_byte: impl Fn(T) -> u8) -> Vec<u8> {
    values.chunks_exact(ALL).flat_map(|pixel| pixel.iter().take(KEPT)).map(|value| to_byte(*value)).collect()
}

fn describe(error: ImageError) -> ImagingError {
    match error {
        ImageError::Unsupported(_) => ImagingError::UnknownFormat,
        ImageError::Decoding(error) => ImagingError::Undecodable(error.to_string()),
        ImageError::Limits(error) => ImagingError::Undecodable(error.to_string()),
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            ImagingError::Undecodable("the file is cut short".to_owned())
        }
        other => ImagingError::Undecodable(other.to_string()),
    }
}
