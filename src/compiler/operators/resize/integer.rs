//! Resampling of planes: nearest copies int8 values, linear is a float island.

use crate::compiler::operators::Coordinates;
use crate::compiler::operators::Resize;
use crate::compiler::operators::ResizeMode;
use crate::compiler::quantize::contract::Encoding;

/// Where output coordinate `x` lies in the input, in f32 as ONNX Runtime computes it.
fn source(attributes: &Resize, axis: usize, x: usize, input: usize, output: usize) -> f32 {
    let (x, scale) = (x as f32, attributes.scales[axis]);
    match attributes.coordinates {
        Coordinates::HalfPixel => (x + 0.5) / scale - 0.5,
        Coordinates::PytorchHalfPixel => {
            if output > 1 {
                (x + 0.5) / scale - 0.5
            } else {
                0.0
            }
        }
        Coordinates::Asymmetric => x / scale,
        Coordinates::AlignCorners => {
            if output > 1 {
                x * (input - 1) as f32 / (output - 1) as f32
            } else {
                0.0
            }
        }
    }
}

/// The input place of each output place along one axis, of a nearest resize.
fn nearest(attributes: &Resize, axis: usize, input: usize, output: usize) -> Vec<usize> {
    (0..output)
        .map(|x| {
            let at = source(attributes, axis, x, input, output);
            let at = match attributes.mode {
                ResizeMode::NearestPreferFloor | ResizeMode::Linear => (at - 0.5).ceil(),
                ResizeMode::NearestPreferCeil => (at + 0.5).floor(),
                ResizeMode::NearestFloor => at.floor(),
                ResizeMode::NearestCeil => at.ceil(),
            };
            (at.max(0.0) as usize).min(input - 1)
        })
        .collect()
}

/// Planes of `input` `[H,W]` into planes of `output` `[H,W]`, copied.
pub fn run_nearest(attributes: &Resize, from: &[i8], input: [usize; 2], to: &mut [i8], output: [usize; 2]) {
    let rows = nearest(attributes, 0, input[0], output[0]);
    let columns = nearest(attributes, 1, input[1], output[1]);
    for (from, to) in from.chunks_exact(input[0] * input[1]).zip(to.chunks_exact_mut(output[0] * output[1])) {
        for (&y, to) in rows.iter().zip(to.chunks_exact_mut(output[1])) {
            let from = &from[y * input[1]..][..input[1]];
            for (&x, to) in columns.iter().zip(to) {
                *to = from[x];
            }
        }
    }
}

/// The two input places and the share of the second, for each output place along one axis, of a linear resize.
fn neighbours(attributes: &Resize, axis: usize, input: usize, output: usize) -> Vec<(usize, usize, f64)> {
    (0..output)
        .map(|x| {
            let at = source(attributes, axis, x, input, output).clamp(0.0, (input - 1) as f32);
            let low = at as usize;
            (low, (low + 1).min(input - 1), f64::from(at - low as f32))
        })
        .collect()
}

/// Bilinear resampling in f64 of the dequantized planes, quantized once: a float island.
pub fn run_linear(
    attributes: &Resize,
    (from, input, input_encoding): (&[i8], [usize; 2], Encoding),
    (to, output, output_encoding): (&mut [i8], [usize; 2], Encoding),
) {
    let rows = neighbours(attributes, 0, input[0], output[0]);
    let columns = neighbours(attributes, 1, input[1], output[1]);
    for (from, to) in from.chunks_exact(input[0] * input[1]).zip(to.chunks_exact_mut(output[0] * output[1])) {
        for (&(top, bottom, down), to) in rows.iter().zip(to.chunks_exact_mut(output[1])) {
            let real = |y: usize, x: usize| input_encoding.dequantize_wide(from[y * input[1] + x]);
            for (&(left, right, across), to) in columns.iter().zip(to) {
                let upper = real(top, left) * (1.0 - across) + real(top, right) * across;
                let lower = real(bottom, left) * (1.0 - across) + real(bottom, right) * across;
                *to = output_encoding.quantize_wide(upper * (1.0 - down) + lower * down);
            }
        }
    }
}
