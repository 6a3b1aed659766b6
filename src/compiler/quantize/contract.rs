//! The int8 contract: every number that the quantizer, the integer reference, the QDQ export and emitted code must
//! agree on, to the bit. Nothing outside this file rounds, saturates or derives a scale.
//!
//! It follows ONNX `QuantizeLinear`, `DequantizeLinear`, `QLinearConv` and `QLinearMatMul` (opset 13–21). Where the
//! standard leaves a choice (width of floats, order of operations, ties), the choice is here: floats are 32 bits wide
//! unless a function says otherwise, and every expression is evaluated in the order in which it is written.
//!
//! Values: int8, −128…127, real = (q − z)·s. Weights: int8, −127…127, real = q·`s_w`, one `s_w` for each output channel.

use serde::{Deserialize, Serialize};

use crate::compiler::machine::vectorized;

/// The narrowest range of values an encoding is made for.
pub const LEAST_WIDTH: f32 = 1e-8;

/// Adding and subtracting 1.5·2²³ rounds a float of at most 2²² to the nearest integer, ties to even.
const ROUNDING: f32 = 12_582_912.0;

/// The bits of [`ROUNDING`]; a float `ROUNDING + n` has these bits plus `n`.
const ROUNDING_BITS: i32 = 0x4B40_0000;

/// One entry for each int8 value; −128 is the first.
pub type Table = [i8; 256];

/// What a sum of two operands is made of: `(q − z)·s/s_y` for each int8 value; −128 is the first.
pub type Terms = [f32; 256];

/// Place of an int8 value in a [`Table`] or in [`Terms`].
#[inline]
#[must_use]
pub const fn place(q: i8) -> usize {
    (q as u8 ^ 0x80) as usize
}

/// How int8 stands for real numbers: real = (q − zero point)·scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Encoding {
    /// Size of a step; positive and finite.
    pub scale: f32,
    /// The int8 value that stands for zero.
    pub zero_point: i8,
}

impl Encoding {
    /// The encoding of a range, widened to include 0 and to a width of at least [`LEAST_WIDTH`]:
    /// s = (max − min)/255, z = rne(−128 − min/s). `None` where a bound is not a number or the width leaves f32.
    #[must_use]
    pub fn of_range(min: f32, max: f32) -> Option<Self> {
        if min.is_nan() || max.is_nan() {
            return None;
        }
        let min = min.min(0.0);
        let mut max = max.max(0.0);
        if max - min < LEAST_WIDTH {
            max = min + LEAST_WIDTH;
        }
        let scale = (max - min) / 255.0;
        let zero_point = round((-128.0 - min / scale).clamp(-128.0, 127.0)) as i8;
        (scale.is_finite() && scale > 0.0).then_some(Self { scale, zero_point })
    }

    /// `QuantizeLinear`: sat(rne(x/s) + z). Not a number becomes −128.
    #[inline]
    #[must_use]
    pub fn quantize(self, real: f32) -> i8 {
        Saturation::full(self.zero_point).apply(real / self.scale)
    }

    /// `DequantizeLinear`: (q − z)·s.
    #[inline]
    #[must_use]
    pub fn dequantize(self, q: i8) -> f32 {
        f32::from(i16::from(q) - i16::from(self.zero_point)) * self.scale
    }

    /// (q − z)·s in f64, what tables are computed from.
    #[inline]
    #[must_use]
    pub fn dequantize_wide(self, q: i8) -> f64 {
        f64::from(i16::from(q) - i16::from(self.zero_point)) * f64::from(self.scale)
    }

    /// sat(rne(x/s) + z) in f64, what tables are rounded with. Not a number becomes −128.
    #[must_use]
    pub fn quantize_wide(self, real: f64) -> i8 {
        let z = f64::from(self.zero_point);
        let steps = (real / f64::from(self.scale)).max(-128.0 - z).min(127.0 - z);
        (steps.round_ties_even() + z) as i8
    }

    /// Whether scale and zero point are what this contract makes: a positive, finite, normal scale.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.scale.is_normal() && self.scale > 0.0
    }
}

/// Rounds to the nearest integer, ties to even; |x| at most 2²².
#[inline]
fn round(x: f32) -> i32 {
    ((x + ROUNDING).to_bits() as i32).wrapping_sub(ROUNDING_BITS)
}

/// Clamp, round, add the zero point: how every result becomes int8. The clamp is narrower than int8 where a fused
/// activation (`Relu`, `Clip`) asks for it; clamping to whole numbers before rounding equals clamping after.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saturation {
    low: f32,
    high: f32,
    zero_point: i32,
}

impl Saturation {
    /// The whole range of int8.
    #[must_use]
    pub fn full(zero_point: i8) -> Self {
        Self::between(zero_point, [i8::MIN, i8::MAX])
    }

    /// Results within `clamp` (lowest, highest int8 value).
    #[must_use]
    pub fn between(zero_point: i8, clamp: [i8; 2]) -> Self {
        let zero_point = i32::from(zero_point);
        let steps = |q: i8| (i32::from(q) - zero_point) as f32;
        Self { low: steps(clamp[0]), high: steps(clamp[1]), zero_point }
    }

    /// The bounds of steps, and the zero point that is added to them rounded: what a form of
    /// [`requantize`](Self::requantize) in machine instructions is made of.
    #[inline]
    #[must_use]
    pub const fn bounds(self) -> (f32, f32, i32) {
        (self.low, self.high, self.zero_point)
    }

    /// rne(clamp(x, −128 − z, 127 − z)) + z.
    #[inline]
    #[must_use]
    pub fn apply(self, steps: f32) -> i8 {
        (round(steps.max(self.low).min(self.high)) + self.zero_point) as i8
    }

    /// An accumulator to int8: `apply(f32(acc)·m)`.
    #[inline]
    #[must_use]
    pub fn requantize(self, accumulator: i32, multiplier: f32) -> i8 {
        self.apply(accumulator as f32 * multiplier)
    }
}

/// The int8 bounds of an activation fused into its producer: the encodings of its real bounds. −128 and 127 where
/// saturation alone realizes them.
#[must_use]
pub fn clamp_of(encoding: Encoding, low: f32, high: f32) -> [i8; 2] {
    [encoding.quantize(low), encoding.quantize(high)]
}

/// `s_x·s_w` in f32: the size of a step of a bias and of an accumulator of products.
#[inline]
#[must_use]
pub fn bias_scale(input_scale: f32, weight_scale: f32) -> f32 {
    input_scale * weight_scale
}

/// m = `f32(f32(s_x·s_w)/s_y)`: from accumulators of products to steps of the output. Also of Mul, with both operands'
/// scales.
#[inline]
#[must_use]
pub fn multiplier(input_scale: f32, weight_scale: f32, output_scale: f32) -> f32 {
    bias_scale(input_scale, weight_scale) / output_scale
}

/// m of an average over `count` elements: `f32(s_x/f32(s_y·count))`.
#[inline]
#[must_use]
pub fn average_multiplier(input_scale: f32, output_scale: f32, count: u32) -> f32 {
    input_scale / (output_scale * count as f32)
}

/// T\[q\] = `(q − z)·s/s_y`: one operand of Add and Sub; a sum is `apply(Ta[a] + Tb[b])`.
#[must_use]
pub fn terms(operand: Encoding, output_scale: f32) -> Terms {
    std::array::from_fn(|place| {
        let q = (place as i32 - 128) as i8;
        term(q, operand, output_scale)
    })
}

/// One entry of [`terms`]. Inlined, it becomes vector instructions.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
#[must_use]
pub fn term(q: i8, operand: Encoding, output_scale: f32) -> f32 {
    (i32::from(q) - i32::from(operand.zero_point)) as f32 * operand.scale / output_scale
}

/// The table of a function of one element: computed in f64, quantized once.
#[must_use]
pub fn function_table(input: Encoding, output: Encoding, function: impl Fn(f64) -> f64) -> Table {
    std::array::from_fn(|place| {
        let q = (place as i32 - 128) as i8;
        output.quantize_wide(function(input.dequantize_wide(q)))
    })
}

/// The table that brings an input of Concat to the output's encoding: `QuantizeLinear(DequantizeLinear(q))`; `None` where
/// the encodings are the same and elements are copied.
#[must_use]
pub fn concat_table(input: Encoding, output: Encoding) -> Option<Table> {
    (input != output)
        .then(|| std::array::from_fn(|place| output.quantize(input.dequantize((place as i32 - 128) as i8))))
}

/// e^(−d·s) for inputs d = 0…255 steps below the largest, in parts of 2^−k: `rne(2ᵏ·e^(−d·s))` computed in f64. k is the
/// largest up to 24 with which the sum of `length` of them fits int32 (and each is exact as f32).
#[must_use]
pub fn exponentials(input: Encoding, length: usize) -> [i32; 256] {
    let one = f64::from(1_u32 << length_bits(length));
    std::array::from_fn(|steps| (one * libm::exp(-(steps as f64) * f64::from(input.scale))).round_ties_even() as i32)
}

/// k of [`exponentials`]: length·2ᵏ is at most 2³⁰.
fn length_bits(length: usize) -> u32 {
    30_u32.saturating_sub(length.next_power_of_two().ilog2()).min(24)
}

/// m of a softmax with such a sum: `f32(1/f32(f32(sum)·s_y))`.
#[inline]
#[must_use]
pub fn softmax_multiplier(sum: i32, output_scale: f32) -> f32 {
    1.0 / (sum as f32 * output_scale)
}

/// Parts of the distance between two neighbours that linear interpolation counts in, where an axis needs more.
pub const MOST_PARTS: u32 = 2048;

/// m of a bilinear interpolation whose weights along both axes add up to `parts`: `f32(s_x/f32(s_y·f32(parts)))`.
#[inline]
#[must_use]
pub fn interpolation_multiplier(input_scale: f32, output_scale: f32, parts: [u32; 2]) -> f32 {
    input_scale / (output_scale * (parts[0] * parts[1]) as f32)
}

/// The weights of one output channel and its bias, quantized.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// The weights' scale, `s_w`.
    pub scale: f32,
    /// The weights, −127…127.
    pub weights: Vec<i8>,
    /// The bias in steps of `s_x·s_w`.
    pub bias: i32,
}

/// What of one output channel does not depend on its bias.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChannelScale {
    /// The weights' scale, `s_w`.
    pub scale: f32,
    /// Σ|w| of the quantized weights.
    magnitudes: i64,
}

impl ChannelScale {
    /// `s_w` = `max|w|/127` (1 for a channel of zeros), and the weights under it, −127…127.
    pub fn of(weights: &[f32]) -> Result<(Self, Vec<i8>), ChannelError> {
        // The bits of numbers that are not negative are in the order of the numbers, infinity and what is no number last.
        let magnitude = |weight: &f32| weight.abs().to_bits();
        let largest = f32::from_bits(vectorized(|| weights.iter().map(magnitude).max().unwrap_or(0)));
        if !largest.is_finite() {
            return Err(ChannelError::NotFinite);
        }
        let scale = if largest == 0.0 { 1.0 } else { largest / 127.0 };
        // Weights so small that their scale is no f32: the smallest normal one, under which they are zeros.
        Ok(Self::under(if scale == 0.0 { f32::MIN_POSITIVE } else { scale }, weights))
    }

    fn under(scale: f32, weights: &[f32]) -> (Self, Vec<i8>) {
        let mut rounded = vec![0; weights.len()];
        let pairs = rounded.iter_mut().zip(weights);
        vectorized(|| pairs.for_each(|(to, weight)| *to = round((weight / scale).clamp(-127.0, 127.0)) as i8));
        let magnitudes = rounded.iter().map(|weight: &i8| i64::from(weight.unsigned_abs())).sum();
        (Self { scale, magnitudes }, rounded)
    }

    /// The bias `rne(b/(s_x·s_w))`; `None` where it leaves int32, so that the weights need a larger scale.
    pub fn bias(&self, bias: f32, input_scale: f32) -> Result<Option<i32>, ChannelError> {
        if !bias.is_finite() {
            return Err(ChannelError::NotFinite);
        }
        let steps = bias / bias_scale(input_scale, self.scale);
        if !fits_int32(steps) {
            return Ok(None);
        }
        let bias = steps.round_ties_even() as i32;
        check_reach(self.magnitudes, bias).map(|()| Some(bias))
    }
}

/// Why a channel cannot be quantized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// A weight or the bias is infinite or not a number.
    #[error("a weight or the bias is not finite")]
    NotFinite,
    /// The scale that the weights, or a bias far larger than they are, would need is not a finite number.
    #[error("the bias is too large for the weights and the input's scale")]
    BiasTooLarge,
    /// The accumulator could leave 32 bits.
    #[error("the sum can reach {0}, more than an int32 accumulator holds (2147483647)")]
    Overflow(i64),
}

/// Quantizes one output channel: `s_w` = `max|w|/127` (1 for a channel of zeros), weights `rne(w/s_w)`, bias `rne(b/(s_x·s_w))`.
/// Where the bias leaves int32, `s_w` is doubled until it fits.
pub fn quantize_channel(weights: &[f32], bias: f32, input_scale: f32) -> Result<Channel, ChannelError> {
    let (mut own, mut rounded) = ChannelScale::of(weights)?;
    loop {
        if let Some(bias) = own.bias(bias, input_scale)? {
            return Ok(Channel { scale: own.scale, weights: rounded, bias });
        }
        let scale = own.scale * 2.0;
        if !scale.is_finite() {
            return Err(ChannelError::BiasTooLarge);
        }
        (own, rounded) = ChannelScale::under(scale, weights);
    }
}

/// Refuses a channel whose accumulator can leave int32: Σ|w|·255 + |bias| over 2147483647.
pub fn check_accumulator(weights: &[i8], bias: i32) -> Result<(), ChannelError> {
    // Sums of so many fit 32 bits, which vector instructions add.
    let sums =
        weights.chunks(1 << 16).map(|part| part.iter().map(|weight| u32::from(weight.unsigned_abs())).sum::<u32>());
    check_reach(sums.map(i64::from).sum(), bias)
}

fn check_reach(magnitudes: i64, bias: i32) -> Result<(), ChannelError> {
    let reach = magnitudes.saturating_mul(255).saturating_add(i64::from(bias.unsigned_abs()));
    if reach > i64::from(i32::MAX) { Err(ChannelError::Overflow(reach)) } else { Ok(()) }
}

/// Whether a float, rounded, is an int32. Not a number (0/0, where `s_x·s_w` leaves f32) is not.
fn fits_int32(value: f32) -> bool {
    (-2_147_483_648.0..2_147_483_648.0).contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_include_zero_and_have_a_width() {
        struct Case {
            range: (f32, f32),
            encoding: (f32, i8),
        }
        let cases = [
            Case { range: (0.0, 255.0), encoding: (1.0, -128) },
            Case { range: (-255.0, 0.0), encoding: (1.0, 127) },
            Case { range: (-128.0, 127.0), encoding: (1.0, 0) },
            Case { range: (5.0, 510.0), encoding: (2.0, -128) },
            Case { range: (-510.0, -5.0), encoding: (2.0, 127) },
            Case { range: (0.0, 0.0), encoding: (1e-8 / 255.0, -128) },
            // −128 + 0.5 is a tie: to the even −128; −128 + 1.5 as well: to −126.
            Case { range: (-0.5, 254.5), encoding: (1.0, -128) },
            Case { range: (-1.5, 253.5), encoding: (1.0, -126) },
        ];
        let mut wrong = Vec::new();
        for Case { range, encoding } in cases {
            let found = Encoding::of_range(range.0, range.1).map(|found| (found.scale, found.zero_point));
            if found != Some(encoding) {
                wrong.push(format!("{range:?}: expected {encoding:?}, found {found:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(Encoding::of_range(f32::NAN, 1.0), None);
        assert_eq!(Encoding::of_range(f32::MIN, f32::MAX), None);
        assert_eq!(Encoding::of_range(0.0, f32::INFINITY), None);
    }

    #[test]
    fn a_bias_is_in_steps_of_the_product_of_both_scales() {
        let (input_scale, weight_scale) = (0.1_f32, 0.3_f32);
        let step = bias_scale(input_scale, weight_scale);
        let channel = quantize_channel(&[127.0 * weight_scale], 1000.0 * step, input_scale).expect("quantized");
        assert_eq!((channel.bias, channel.scale), (1000, weight_scale));
    }

    #[test]
    fn rounding_is_to_even_and_saturates() {
        let encoding = Encoding { scale: 1.0, zero_point: 3 };
        let cases = [(0.5, 3), (1.5, 5), (-0.5, 3), (-1.5, 1), (2.5, 5), (1e30, 127), (-1e30, -128), (123.5, 127)];
        for (real, q) in cases {
            assert_eq!(encoding.quantize(real), q, "{real}");
            assert_eq!(encoding.quantize_wide(f64::from(real)), q, "{real}");
        }
        assert_eq!(encoding.quantize(f32::NAN), -128);
    }

    #[test]
    fn a_clamp_before_rounding_is_a_clamp_after_it() {
        let narrow = Saturation::between(-10, [-5, 20]);
        let full = Saturation::full(-10);
        for step in -4000..4000 {
            let steps = step as f32 / 16.0;
            assert_eq!(narrow.apply(steps), full.apply(steps).clamp(-5, 20), "{steps}");
        }
    }

    #[test]
    fn a_bias_that_leaves_int32_raises_the_scale() {
        let channel = quantize_channel(&[1e-9, -1e-9], 1.0, 0.01).expect("it fits once raised");
        assert!(channel.scale > 1e-9 / 127.0);
        let real = channel.bias as f32 * (0.01 * channel.scale);
        assert!((real - 1.0).abs() < 1e-6, "{real}");
        let zeros = quantize_channel(&[0.0, 0.0], 0.25, 0.5).expect("zeros are fine");
        assert_eq!((zeros.scale, zeros.bias), (1.0, 0));
    }

    #[test]
    fn an_accumulator_that_could_overflow_is_refused() {
        assert_eq!(check_accumulator(&vec![127; 66_311], 0), Ok(()));
        assert_eq!(check_accumulator(&vec![127; 66_312], 0), Err(ChannelError::Overflow(2_147_514_120)));
        assert_eq!(check_accumulator(&[1], i32::MIN), Err(ChannelError::Overflow(2_147_483_903)));
        assert_eq!(quantize_channel(&[f32::INFINITY], 0.0, 1.0), Err(ChannelError::NotFinite));
    }

    #[test]
    fn sums_of_exponentials_fit_int32_and_are_exact_as_floats() {
        let input = Encoding { scale: 0.01, zero_point: 5 };
        for length in [1, 64, 65, 1000, 1 << 20, 1 << 28] {
            let table = exponentials(input, length);
            assert!(table.is_sorted_by(|a, b| a >= b) && table[0] <= 1 << 24, "{length}: {table:?}");
            assert!((table[0] as usize) * length <= 1 << 30, "{length} of {}", table[0]);
        }
        let table = exponentials(input, 10);
        assert_eq!((table[0], table[100]), (1 << 24, 6_171_993));
    }

    #[test]
    fn places_follow_the_order_of_int8() {
        let places: Vec<usize> = (i8::MIN..=i8::MAX).map(place).collect();
        assert_eq!(places, (0..256).collect::<Vec<_>>());
    }
}
