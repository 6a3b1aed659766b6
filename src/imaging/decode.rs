//! From the bytes of an image file to a [`Picture`], in bounded memory.

use std::io::Cursor;

use image::DynamicImage;
use image::ImageDecoder;
use image::ImageError;
use image::ImageFormat;
use image::ImageReader;
use image::Limits;
use image::metadata::Orientation;

use super::ColorFormat;
use super::ImagingError;
use super::Picture;
use super::SIDE_LIMIT;
use super::picture::BYTE_LIMIT;

/// Reads a JPEG, PNG, BMP or WebP image; which of them is told from the bytes. The result is [`ColorFormat::Gray`] for
/// grey images and [`ColorFormat::Rgb`] for all others, as Pillow's `convert("RGB")` makes it: opacity is dropped, not
/// blended; CMYK is converted without a profile; of 16 bits the upper 8 remain (Pillow clips 16-bit grey at 255
/// instead, which leaves a white picture; OpenCV does as here). The EXIF orientation is applied. Of an animation the
/// first frame is read. Damaged and cut-off images are errors, and so are sides over 16,384 pixels.
pub fn decode(bytes: &[u8]) -> Result<Picture, ImagingError> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|error| ImagingError::Undecodable(error.to_string()))?;
    match reader.format() {
        Some(ImageFormat::Jpeg) if !has_end_of_jpeg(bytes) => {
            return Err(ImagingError::Undecodable("the JPEG is cut short: it has no end marker".to_owned()));
        }
        Some(ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Bmp | ImageFormat::WebP) => {}
        _ => return Err(ImagingError::UnknownFormat),
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(BYTE_LIMIT as u64);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(describe)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) as usize > SIDE_LIMIT || decoder.total_bytes() > BYTE_LIMIT as u64 {
        let (width, height) = (width as usize, height as usize);
        return Err(ImagingError::TooLarge { what: "the image", width, height, limit: SIDE_LIMIT });
    }
    decoder.set_limits(limits).map_err(describe)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(describe)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (color, pixels) = eight_bits(image);
    Picture::new(width, height, color, pixels)
}

/// Whether the picture of a JPEG ends with its end-of-image marker: the decoder fills a cut-off picture with grey and
/// does not complain. Walks from marker to marker (ITU-T T.81, annex B), so that neither an EXIF thumbnail before nor
/// anything after the picture counts.
fn has_end_of_jpeg(bytes: &[u8]) -> bool {
    let mut place = 2; // after the start-of-image marker
    while let Some(&[first, marker]) = bytes.get(place..place + 2) {
        place = match (first, marker) {
            (0xff, 0xd9) => return true,
            // A segment: two bytes of length, which counts itself.
            (0xff, 0x02..=0xcf | 0xda..=0xfe) => {
                let Some(&[high, low]) = bytes.get(place + 2..place + 4) else { return false };
                place + 2 + usize::from(u16::from_be_bytes([high, low])).max(2)
            }
            // Data of a scan, its stuffed bytes and restart markers, or fill bytes.
            _ => place + 1,
        };
    }
    false
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
        ImageError::Decoding(error) => ImagingError::Undecodable(error.to_string()),
        ImageError::Limits(error) => ImagingError::Undecodable(error.to_string()),
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            ImagingError::Undecodable("the file is cut short".to_owned())
        }
        other => ImagingError::Undecodable(other.to_string()),
    }
}
