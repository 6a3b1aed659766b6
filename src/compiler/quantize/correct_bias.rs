//! Bias correction: rounding and clipping shift the mean of a layer's results; the shift, measured on a few images, is
//! taken off in the layer's bias.
//!
//! Layers are corrected in their order, each on the int8 inputs that the corrected layers before it give, so that what they
//! could not repair is seen. Means are compared behind the fused activation, where errors count; a step of the bias moves
//! them by the share of results that the activation does not hold at a bound.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::compiler::calibrate::LaneStatistics;
use crate::compiler::calibrate::Watch;
use crate::compiler::calibrate::lanes;
use crate::compiler::error::StageError;
use crate::compiler::graph::ValueId;
use crate::compiler::machine::vectorized;
use crate::compiler::quantize::Converted;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::Weights;
use crate::compiler::quantize::clamp_behind;
use crate::compiler::quantize::contract::bias_scale;
use crate::compiler::quantize::contract::check_accumulator;
use crate::compiler::reference::Executor;
use crate::compiler::reference::Stepper;

/// The least share of results inside an activation's bounds for which its channel is corrected: with fewer, a mean says
/// little about the bias.
const LEAST_INSIDE: f64 = 0.02;

/// Corrects the biases of a converted graph by the float means of its layers' outputs on some images (`statistics`, in the
/// scale of the original graph), of which `images` are the int8 inputs; `executor` runs the graph as it is.
pub(super) fn correct_biases(
    converted: &mut Converted,
    executor: &Executor<'_>,
    statistics: &BTreeMap<ValueId, LaneStatistics>,
    images: &[Arc<Vec<Vec<i8>>>],
    threads: usize,
    watch: &Watch<'_>,
) -> Result<(), StageError> {
    let mut stepper = Stepper::new(executor, images, threads)?;
    let mut first = 0;
    for index in 0..converted.graph.nodes.len() {
        let node = &converted.graph.nodes[index];
        let origin = converted.origin[node.output.index()];
        let means = origin.and_then(|origin| Some((origin, &statistics.get(&origin)?.means)));
        let (Some(weights), Some((origin, means))) = (node.operator.weights(), means) else { continue };
        watch.check()?;
        stepper.run(first..index + 1);
        first = index + 1;
        let factors = converted.factors.get(&origin);
        let shifts = shifts(&converted.graph, node, weights, means, factors, &stepper);
        if let Some(weights) = converted.graph.nodes[index].operator.weights_mut()
            && shift(weights, &shifts)
        {
            stepper.run_again(&converted.graph, index);
        }
    }
    Ok(())
}

/// What has to be added to each output's bias, in steps of the bias; empty where the outputs are not lanes.
fn shifts(
    graph: &QuantizedGraph,
    node: &QuantizedNode,
    weights: &Weights,
    float_means: &[Vec<f64>],
    factors: Option<&Vec<f32>>,
    stepper: &Stepper<'_>,
) -> Vec<f64> {
    let output = graph.value(node.output);
    let input = graph.value(node.inputs[0]);
    let outputs = weights.bias.len();
    let Some((_, plane)) = lanes(&output.shape).filter(|&(count, _)| count == outputs) else { return Vec::new() };
    // For each image and lane the sum of the results in steps, and how many lie inside the bounds.
    let sums = stepper.each(node.output, |elements| -> Vec<(i64, usize)> {
        let of = |(channel, lane): (usize, &[i8])| {
            let encoding = output.encoding_of(channel);
            let [low, high] =
                if output.channels.is_empty() { node.clamp } else { clamp_behind(encoding, node.activation) };
            let (mut sum, mut inside) = (0, 0);
            // Sums of so many fit 32 bits, which vector instructions add.
            for part in lane.chunks(1 << 16) {
                sum += i64::from(vectorized(|| part.iter().map(|&q| i32::from(q)).sum::<i32>()));
                let is_inside = |&q: &i8| u32::from(q > low) & u32::from(q < high);
                inside += vectorized(|| part.iter().map(is_inside).sum::<u32>()) as usize;
            }
            (sum - i64::from(encoding.zero_point) * lane.len() as i64, inside)
        };
        elements.chunks_exact(plane).enumerate().map(of).collect()
    });
    if sums.len() < 2 || sums.len() != float_means.len() {
        return Vec::new();
    }
    let mut shifts = Vec::with_capacity(outputs);
    for lane in 0..outputs {
        let factor = f64::from(factors.and_then(|factors| factors.get(lane)).copied().unwrap_or(1.0));
        let input_scale = input.encoding_of(input.channel_read_by(lane, outputs)).scale;
        let step = f64::from(bias_scale(input_scale, weights.scales[lane]));
        let error = |(float, int8): (&Vec<f64>, &Vec<(i64, usize)>)| {
            float[lane] * factor - int8[lane].0 as f64 / plane as f64 * f64::from(output.encoding_of(lane).scale)
        };
        let errors: Vec<f64> = float_means.iter().zip(&sums).map(error).collect();
        let inside = sums.iter().map(|image| image[lane].1).sum::<usize>() as f64 / (plane * sums.len()) as f64;
        shifts.push(if inside < LEAST_INSIDE { 0.0 } else { shrunk_mean(&errors) / inside / step });
    }
    shifts
}

/// The mean, drawn towards zero by what of it is likely chance (James and Stein's rule, positive part).
fn shrunk_mean(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (count - 1.0);
    if mean == 0.0 { 0.0 } else { mean * (1.0 - variance / count / (mean * mean)).max(0.0) }
}

/// Adds the shifts, where the sums then still fit 32 bits; whether a bias changed.
fn shift(weights: &mut Weights, shifts: &[f64]) -> bool {
    let mut any = false;
    for (output, &shift) in shifts.iter().enumerate() {
        let bias = (f64::from(weights.bias[output]) + shift).round_ties_even();
        if bias.abs() > f64::from(i32::MAX) {
            continue;
        }
        let bias = bias as i32;
        if bias != weights.bias[output] && check_accumulator(&weights.of_output(output), bias).is_ok() {
            weights.bias[output] = bias;
            any = true;
        }
    }
    if any && weights.bias_name.is_none() {
        weights.bias_name = Some(format!("{}/bias", weights.name));
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_likely_chance_is_not_corrected() {
        assert!((shrunk_mean(&[2.0, 2.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!(shrunk_mean(&[5.0, -5.0, 4.0, -3.0]).abs() < 1e-12);
        let half = shrunk_mean(&[1.0, 3.0, 1.0, 3.0]);
        assert!(half > 1.5 && half < 2.0, "{half}");
    }
}
