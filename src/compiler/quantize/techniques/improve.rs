//! Calibration for what is tried: which images are for what, and what of them is kept.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::compiler::calibrate::Asked;
use crate::compiler::calibrate::Observed;
use crate::compiler::calibrate::Observer;
use crate::compiler::calibrate::Remembered;
use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Sampling;
use crate::compiler::calibrate::Seen;
use crate::compiler::calibrate::Watch;
use crate::compiler::error::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::graph::ValueId;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;
use crate::compiler::quantize::Converted;
use crate::compiler::quantize::LayerWeights;
use crate::compiler::quantize::QuantizeOptions;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::Scheme;
use crate::compiler::quantize::Sharing;
use crate::compiler::quantize::Tried;
use crate::compiler::quantize::convert::is_depthwise;
use crate::compiler::quantize::equalize;
use crate::compiler::quantize::techniques::trial::Fold;
use crate::compiler::quantize::techniques::trial::Pool;
use crate::compiler::quantize::techniques::trial::Trial;
use crate::compiler::reference::Buffers;

/// The most images that techniques are fitted to.
const MOST_FITTED: usize = 8;

/// The most elements of float outputs that are kept.
const MOST_KEPT: usize = 4 << 20;

/// The most images that clipping is judged on.
const MOST_POOLED: usize = 24;

/// The fewest images in each of two folds.
const LEAST_FOLD: usize = 4;

/// A converted graph, and how it came to be.
pub(in crate::compiler::quantize) struct Improved {
    /// With all techniques that pay.
    pub(in crate::compiler::quantize) converted: Converted,
    /// The techniques that were tried, in order.
    pub(in crate::compiler::quantize) tried: Vec<Tried>,
    /// For each of them that was kept the graph before it.
    pub(in crate::compiler::quantize) stages: Vec<QuantizedGraph>,
}

/// Calibrates, converts and applies what pays.
pub(in crate::compiler::quantize) fn improve(
    graph: &Graph,
    calibration: &dyn Samples,
    options: &QuantizeOptions,
    watch: &Watch<'_>,
) -> Result<Improved, StageError> {
    let sharing = Sharing::of(graph);
    let values = sharing.observed(graph);
    let (fitted, others) = split(calibration.len());
    let halves = [0, 1].map(|half| others.iter().copied().skip(half).step_by(2).collect::<Vec<usize>>());
    let others = halves.concat();
    let judged_values = judged_values(graph);
    let sizes: Vec<usize> = judged_values.iter().map(|&id| graph.value(id).shape.iter().product()).collect();
    // Elements of a part of them tell what all would.
    let sampling = Sampling::of(sizes.iter().sum(), MOST_KEPT / others.len().max(1));
    let by_lane = if options.scheme == Scheme::HybridPerTensorPerChannel || options.depthwise_channels {
        depthwise_inputs(graph)
    } else {
        Vec::new()
    };
    let remembered = Remembered::new(calibration);
    remembered.keep(&fitted);
    let calibration: &dyn Samples = &remembered;
    let surveyed = if fitted.is_empty() { Vec::new() } else { surveyed(graph, &sharing, &values) };
    let observed =
        Observed { values: &values, surveyed: &surveyed, by_lane: &by_lane, kept: (&judged_values, sampling) };
    let observer = Observer::new(graph, observed, calibration, (options.scheme, options.threads), watch)?;
    let none = BTreeMap::new();
    let asked = Asked { surveys: !fitted.is_empty(), factors: &none, keeps: false };
    // Too few images to hold some back are seen all at once.
    let first: Vec<usize> = if fitted.is_empty() { (0..calibration.len()).collect() } else { fitted.clone() };
    let mut seen = observer.run(&first, asked)?;
    let statistics = std::mem::take(&mut seen.statistics);
    let equalization = equalize(graph, &statistics, options.threads)?;
    let factors = equalization.as_ref().map_or(&none, |equalization| &equalization.factors);
    let asked = Asked { surveys: false, factors, keeps: true };
    let mut folds = Vec::new();
    let mut kept = Vec::new();
    let parts: Vec<Seen> = halves.iter().map(|half| observer.run(half, asked)).collect::<Result<_, _>>()?;
    if options.scheme.has_histograms() && halves.iter().all(|half| half.len() >= LEAST_FOLD) {
        for (part, judged) in parts.iter().zip(halves.iter().rev()) {
            folds.push(Fold { seen: seen.with(part), judged: judged.clone() });
        }
    }
    for mut part in parts {
        kept.append(&mut part.kept);
        seen.join(part);
    }
    seen.widen_scaled(&statistics, factors);
    drop(observer);
    watch.check()?;
    let telling = telling(&kept);
    let floats = telling.iter().map(|&at| std::mem::take(&mut kept[at])).collect();
    drop(kept);
    let places: Vec<usize> = telling.iter().map(|&at| others[at]).collect();
    remembered.keep(&places);
    let equalization = match equalization {
        Some(equalization) => Some((LayerWeights::of(&equalization.graph, options.threads)?, equalization)),
        None => None,
    };
    let pool = Pool { values: judged_values.clone(), sizes, sampling, places, floats };
    let trial = Trial {
        graph,
        layers: LayerWeights::of(graph, options.threads)?,
        calibration,
        sharing,
        seen,
        folds,
        equalization,
        statistics,
        fitted,
        pool,
        inputs: Mutex::default(),
        buffers: Buffers::new(options.threads),
        options,
        watch,
    };
    trial.run()
}

/// What is surveyed: what has an encoding of its own, what layers read and what they write.
fn surveyed(graph: &Graph, sharing: &Sharing, values: &[ValueId]) -> Vec<ValueId> {
    let layers = graph
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| matches!(node.operator, Operator::Convolution(_) | Operator::Dense))
        .flat_map(|(place, node)| [node.inputs[0], sharing.output(graph, place)]);
    let mut surveyed: Vec<ValueId> = values.iter().copied().chain(layers).collect();
    surveyed.sort_unstable();
    surveyed.dedup();
    surveyed
}

/// Where techniques are judged: at the outputs, but before a last softmax or sigmoid, behind which the error of a few images
/// is how near they lie to another answer.
fn judged_values(graph: &Graph) -> Vec<ValueId> {
    let producers = graph.producers();
    let before = |&output: &ValueId| {
        let mut value = output;
        while let Some(node) = producers[value.index()].map(|node| &graph.nodes[node.index()]) {
            match node.operator {
                Operator::Reshape | Operator::Transpose { .. } => value = node.inputs[0],
                Operator::Softmax { .. } | Operator::Function(Function::Sigmoid) => return node.inputs[0],
                _ => break,
            }
        }
        output
    };
    graph.outputs.iter().map(before).collect()
}

/// What depth-wise convolutions read.
fn depthwise_inputs(graph: &Graph) -> Vec<ValueId> {
    let inputs = graph.nodes.iter().filter(|node| is_depthwise(graph, node)).map(|node| node.inputs[0]);
    let mut inputs: Vec<ValueId> = inputs.filter(|&id| graph.value(id).constant.is_none()).collect();
    inputs.sort_unstable();
    inputs.dedup();
    inputs
}

/// Places of images for fitting, evenly spread, and of the others; none where there are fewer than 4.
fn split(count: usize) -> (Vec<usize>, Vec<usize>) {
    let each = if count < 4 { 0 } else { (count / 2).min(MOST_FITTED) };
    let fitted: Vec<usize> = (0..each).map(|at| at * count / each).collect();
    let others = (0..count).filter(|place| each > 0 && !fitted.contains(place)).collect();
    (fitted, others)
}

/// Which images tell most, these first: those whose outputs lie farthest from the mean over the images. Most of the noise of a
/// network is theirs. `floats` are by image, by value.
fn telling(floats: &[Vec<Vec<f32>>]) -> Vec<usize> {
    let mut far = vec![0.0; floats.len()];
    for value in 0..floats.first().map_or(0, Vec::len) {
        let size = floats[0][value].len();
        let mut mean = vec![0.0; size];
        for image in floats {
            mean.iter_mut().zip(&image[value]).for_each(|(mean, &x)| *mean += f64::from(x) / floats.len() as f64);
        }
        let from_mean = |image: &Vec<Vec<f32>>| -> f64 {
            image[value].iter().zip(&mean).map(|(&x, mean)| (f64::from(x) - mean).powi(2)).sum()
        };
        let own: Vec<f64> = floats.iter().map(from_mean).collect();
        let all: f64 = own.iter().sum();
        if all > 0.0 {
            far.iter_mut().zip(own).for_each(|(far, own)| *far += own / all * size as f64);
        }
    }
    let mut order: Vec<usize> = (0..floats.len()).collect();
    order.sort_by(|&left, &right| far[right].total_cmp(&far[left]).then(left.cmp(&right)));
    order.truncate(MOST_POOLED);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_for_fitting_and_for_judging_are_apart() {
        for count in 0..70 {
            let (fitted, others) = split(count);
            assert_eq!(fitted.is_empty(), others.is_empty());
            assert!(fitted.iter().all(|place| !others.contains(place) && *place < count), "{count}");
            assert!(others.iter().all(|place| *place < count), "{count}");
            assert!(others.windows(2).all(|pair| pair[0] < pair[1]), "{count}");
        }
    }

    #[test]
    fn images_far_from_the_mean_come_first() {
        let floats: Vec<Vec<Vec<f32>>> =
            (0..30).map(|image| vec![vec![if image % 3 == 1 { 9.0 } else { 0.1 }]]).collect();
        let order = telling(&floats);
        assert_eq!(order.len(), MOST_POOLED);
        assert!(order[..10].iter().all(|image| image % 3 == 1), "{order:?}");
    }
}
