//! A picture in memory: 8 bits a channel, and how it changes its channels.

use super::ColorFormat;
use super::ImagingError;
use super::operator::SIDE_LIMIT;

/// Most bytes of one picture: 512 MB.
pub(super) const BYTE_LIMIT: usize = 512 * 1024 * 1024;

/// A picture: rows from the top, pixels from the left, channels together, 8 bits each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    color: ColorFormat,
    pixels: Vec<u8>,
}

impl Picture {
    /// A picture of `width` x `height` pixels; `pixels` holds `height * width * channels` bytes. Sides are at least 1 and
    /// at most 16,384.
    pub fn new(width: usize, height: usize, color: ColorFormat, pixels: Vec<u8>) -> Result<Self, ImagingError> {
        let expected = bytes("the image", width, height, color)?;
        if pixels.len() == expected && expected > 0 {
            Ok(Self { width, height, color, pixels })
        } else {
            Err(ImagingError::WrongSize { width, height, color, expected, found: pixels.len() })
        }
    }

    /// A picture of which every byte is `value`.
    pub(super) fn filled(
        what: &'static str,
        width: usize,
        height: usize,
        color: ColorFormat,
        value: u8,
    ) -> Result<Self, ImagingError> {
        let count = bytes(what, width, height, color)?;
        Self::new(width, height, color, vec![value; count])
    }

    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The channels.
    #[must_use]
    pub fn color(&self) -> ColorFormat {
        self.color
    }

    /// The bytes: `height * width * channels`.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The bytes of one row.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.pixels.chunks_exact(self.width * self.color.channels())
    }

    /// Copies `part` with its upper left corner to column `left`, row `top`; what would fall outside is left out.
    pub(super) fn paste(&mut self, part: &Self, left: usize, top: usize) {
        debug_assert_eq!(self.color, part.color);
        let channels = self.color.channels();
        let count = part.width.min(self.width.saturating_sub(left)) * channels;
        let stride = self.width * channels;
        for (row, source) in self.pixels.chunks_exact_mut(stride).skip(top).zip(part.rows()) {
            let target = row.iter_mut().skip(left * channels);
            for (target, source) in target.zip(&source[..count]) {
                *target = *source;
            }
        }
    }

    /// The part of `width` x `height` pixels whose upper left corner is column `left`, row `top`; it must lie inside.
    pub(super) fn crop(&self, left: usize, top: usize, width: usize, height: usize) -> Result<Self, ImagingError> {
        let channels = self.color.channels();
        let rows = self.rows().skip(top).take(height);
        let pixels = rows.flat_map(|row| row.iter().skip(left * channels).take(width * channels)).copied().collect();
        Self::new(width, height, self.color, pixels)
    }

    /// The same picture with other channels. Grey from colours as Pillow's `convert("L")`: (19595 R + 38470 G +
    /// 7471 B + 32768) / 65536; colours from grey repeat it; a new opacity is 255.
    #[must_use]
    pub fn convert(self, color: ColorFormat) -> Self {
        if color == self.color {
            return self;
        }
        let from = self.color;
        let mut pixels = Vec::with_capacity(self.width * self.height * color.channels());
        for pixel in self.pixels.chunks_exact(from.channels()) {
            let (r, g, b, a) = match *pixel {
                [v] => (v, v, v, 255),
                [r, g, b] => (r, g, b, 255),
                [r, g, b, a] => (r, g, b, a),
                _ => continue,
            };
            let (r, b) = if from.blue_first() { (b, r) } else { (r, b) };
            match color {
                ColorFormat::Gray => pixels.push(brightness(r, g, b)),
                ColorFormat::Rgb => pixels.extend([r, g, b]),
                ColorFormat::Bgr => pixels.extend([b, g, r]),
                ColorFormat::Rgba => pixels.extend([r, g, b, a]),
                ColorFormat::Bgra => pixels.extend([b, g, r, a]),
            }
        }
        Self { width: self.width, height: self.height, color, pixels }
    }
}

/// ITU-R 601 brightness in Pillow's fixed point; the weights sum to 65536, so a grey pixel keeps its value.
fn brightness(r: u8, g: u8, b: u8) -> u8 {
    let sum = 19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b) + 0x8000;
    (sum >> 16) as u8
}

/// Bytes of a picture of this size, if it may be that large.
pub(super) fn bytes(
    what: &'static str,
    width: usize,
    height: usize,
    color: ColorFormat,
) -> Result<usize, ImagingError> {
    let count = width.checked_mul(height).and_then(|count| count.checked_mul(color.channels()));
    match count {
        Some(count) if count <= BYTE_LIMIT && width <= SIDE_LIMIT && height <= SIDE_LIMIT => Ok(count),
        _ => Err(ImagingError::TooLarge { what, width, height, limit: SIDE_LIMIT }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(color: ColorFormat, pixels: &[u8]) -> Picture {
        Picture::new(pixels.len() / color.channels(), 1, color, pixels.to_vec()).expect("a picture")
    }

    #[test]
    fn channels_convert() {
        struct Case {
            from: (ColorFormat, &'static [u8]),
            to: (ColorFormat, &'static [u8]),
        }
        use ColorFormat::{Bgr, Bgra, Gray, Rgb, Rgba};
        let cases = [
            Case { from: (Rgb, &[1, 2, 3, 4, 5, 6]), to: (Bgr, &[3, 2, 1, 6, 5, 4]) },
            Case { from: (Bgr, &[1, 2, 3]), to: (Rgba, &[3, 2, 1, 255]) },
            Case { from: (Rgba, &[1, 2, 3, 4]), to: (Bgra, &[3, 2, 1, 4]) },
            Case { from: (Rgba, &[1, 2, 3, 4]), to: (Rgb, &[1, 2, 3]) },
            Case { from: (Rgb, &[255, 0, 0, 0, 255, 0, 0, 0, 255]), to: (Gray, &[76, 150, 29]) },
            Case { from: (Bgr, &[0, 0, 255]), to: (Gray, &[76]) },
            Case { from: (Gray, &[7, 255]), to: (Rgb, &[7, 7, 7, 255, 255, 255]) },
            Case { from: (Rgb, &[9, 9, 9, 254, 254, 254]), to: (Gray, &[9, 254]) },
        ];
        for Case { from, to } in cases {
            let converted = picture(from.0, from.1).convert(to.0);
            assert_eq!((converted.color(), converted.pixels()), to, "{from:?}");
        }
    }

    #[test]
    fn a_picture_has_the_bytes_its_size_says() {
        assert!(matches!(
            Picture::new(2, 2, ColorFormat::Rgb, vec![0; 11]),
            Err(ImagingError::WrongSize { expected: 12, found: 11, .. })
        ));
        assert!(Picture::new(0, 2, ColorFormat::Rgb, vec![]).is_err());
        assert!(matches!(Picture::new(usize::MAX, 2, ColorFormat::Rgb, vec![]), Err(ImagingError::TooLarge { .. })));
    }

    #[test]
    fn parts_are_cut_and_pasted() {
        let picture = picture(ColorFormat::Gray, &[1, 2, 3, 4]);
        let part = picture.crop(1, 0, 2, 1).expect("inside");
        assert_eq!(part.pixels(), [2, 3]);
        let mut target = Picture::filled("a test", 2, 2, ColorFormat::Gray, 9).expect("small");
        target.paste(&part, 1, 1);
        assert_eq!(target.pixels(), [9, 9, 9, 2]);
    }
}
