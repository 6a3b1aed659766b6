//! Which techniques are applied: each is tried after the ones before it, and kept where the outputs of some calibration
//! images come closer to float. Images that a technique fits itself to are not those it is judged on, and held-out ones
//! are neither.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::compiler::calibrate::Asked;
use crate::compiler::calibrate::LaneStatistics;
use crate::compiler::calibrate::Observation;
use crate::compiler::calibrate::Observed;
use crate::compiler::calibrate::Observer;
use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Sampling;
use crate::compiler::calibrate::Seen;
use crate::compiler::calibrate::Watch;
use crate::compiler::calibrate::choose_range;
use crate::compiler::calibrate::for_each_index;
use crate::compiler::calibrate::load_sample;
use crate::compiler::error::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::graph::ValueId;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;
use crate::compiler::quantize::Converted;
use crate::compiler::quantize::Equalization;
use crate::compiler::quantize::QuantizeOptions;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::Scheme;
use crate::compiler::quantize::Sharing;
use crate::compiler::quantize::Technique;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::Tried;
use crate::compiler::quantize::contract::Encoding;
use crate::compiler::quantize::convert;
use crate::compiler::quantize::convert::is_depthwise;
use crate::compiler::quantize::correct_bias::correct_biases;
use crate::compiler::quantize::equalize;
use crate::compiler::reference::Executor;

/// The most images that techniques are fitted to.
const MOST_FITTED: usize = 8;

/// The most images that techniques are judged on; each trial runs all of them.
const MOST_JUDGED: usize = 8;

/// The most elements of float outputs that are kept.
const MOST_KEPT: usize = 4 << 20;

/// Ranges that one thread chooses at a time.
const RANGES_AT_ONCE: usize = 16;

/// The least gain in dB for which a technique is kept.
const LEAST_GAIN: f64 = 0.1;

/// How many of its standard errors a gain has to exceed.
const ERRORS: f64 = 2.0;

/// A converted graph, and how it came to be.
pub(super) struct Improved {
    /// With all techniques that pay.
    pub(super) converted: Converted,
    /// The techniques that were tried, in order.
    pub(super) tried: Vec<Tried>,
    /// For each of them that was kept the graph before it.
    pub(super) stages: Vec<QuantizedGraph>,
}

/// Calibrates, converts and applies what pays.
pub(super) fn improve(
    graph: &Graph,
    calibration: &dyn Samples,
    options: &QuantizeOptions,
    watch: &Watch<'_>,
) -> Result<Improved, StageError> {
    let sharing = Sharing::of(graph);
    let values = sharing.observed(graph);
    let (fitted, others) = split(calibration.len());
    let judged_values = judged_values(graph);
    let sizes: Vec<usize> = judged_values.iter().map(|&id| graph.value(id).shape.iter().product()).collect();
    // Elements of a part of them tell what all would.
    let sampling = Sampling::of(sizes.iter().sum(), MOST_KEPT / others.len().max(1));
    let by_lane = if options.scheme == Scheme::HybridPerTensorPerChannel || options.depthwise_channels {
        depthwise_inputs(graph)
    } else {
        Vec::new()
    };
    let surveyed = if fitted.is_empty() { Vec::new() } else { surveyed(graph, &sharing, &values) };
    let observed =
        Observed { values: &values, surveyed: &surveyed, by_lane: &by_lane, kept: (&judged_values, sampling) };
    let observer = Observer::new(graph, observed, calibration, (options.scheme, options.threads), watch)?;
    let none = BTreeMap::new();
    let asked = Asked { surveys: !fitted.is_empty(), factors: &none, keeps: false, again: false };
    // Too few images to hold some back are seen all at once.
    let first: Vec<usize> = if fitted.is_empty() { (0..calibration.len()).collect() } else { fitted.clone() };
    let mut seen = observer.run(&first, asked)?;
    let statistics = std::mem::take(&mut seen.statistics);
    let equalization = equalize(graph, &statistics);
    let factors = equalization.as_ref().map_or(&none, |equalization| &equalization.factors);
    seen.join(observer.run(&others, Asked { surveys: false, factors, keeps: true, again: false })?);
    if !factors.is_empty() {
        // Factors were chosen by these images, so they are seen with them only now.
        seen.join(observer.run(&fitted, Asked { surveys: false, factors, keeps: false, again: true })?);
    }
    drop(observer);
    watch.check()?;
    let telling = telling(&seen.kept);
    let floats = telling.iter().map(|&at| std::mem::take(&mut seen.kept[at])).collect();
    seen.kept = Vec::new();
    let places = telling.iter().map(|&at| others[at]).collect();
    let judged = Judged { values: judged_values, sizes, sampling, places, floats };
    let trial = Trial {
        graph,
        calibration,
        sharing,
        seen,
        equalization,
        statistics,
        fitted,
        judged,
        inputs: Mutex::default(),
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

/// Which images tell most: those whose outputs lie farthest from the mean over the images, ascending. Most of the noise of a
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
    order.truncate(MOST_JUDGED);
    order.sort_unstable();
    order
}

/// What techniques are judged on.
struct Judged {
    /// The values at which int8 is compared with float.
    values: Vec<ValueId>,
    /// How many elements each of them has.
    sizes: Vec<usize>,
    /// Which of their elements.
    sampling: Sampling,
    /// Places of the images.
    places: Vec<usize>,
    /// By image: elements of the values in float.
    floats: Vec<Vec<Vec<f32>>>,
}

/// An image's place, and scale bits and zero point of each input.
type InputsKey = (usize, Vec<(u32, i8)>);

struct Trial<'a> {
    graph: &'a Graph,
    calibration: &'a dyn Samples,
    sharing: Sharing,
    seen: Seen,
    equalization: Option<Equalization>,
    statistics: BTreeMap<ValueId, LaneStatistics>,
    /// Places of the images that techniques are fitted to.
    fitted: Vec<usize>,
    judged: Judged,
    inputs: Mutex<BTreeMap<InputsKey, Arc<Vec<Vec<i8>>>>>,
    options: &'a QuantizeOptions,
    watch: &'a Watch<'a>,
}

/// What is tried: ranges and factors so far.
#[derive(Clone, Copy)]
struct Choice {
    clipping: f64,
    equalized: bool,
}

impl Trial<'_> {
    fn run(&self) -> Result<Improved, StageError> {
        let mut choice = Choice { clipping: 1.0, equalized: false };
        let mut best = Improved { converted: self.convert(choice)?, tried: Vec::new(), stages: Vec::new() };
        if self.judged.places.len() < 2 {
            return Ok(best);
        }
        let mut noise = self.noise(&best.converted)?;
        if self.options.scheme.has_histograms() {
            let tried = Choice { clipping: f64::INFINITY, ..choice };
            if self.judge(Technique::NoClipping, self.convert(tried)?, &mut best, &mut noise)? {
                choice = tried;
            }
        }
        if self.equalization.is_some() {
            let tried = Choice { equalized: true, ..choice };
            self.judge(Technique::CrossLayerEqualization, self.convert(tried)?, &mut best, &mut noise)?;
        }
        let tried = self.corrected(&best.converted)?;
        self.judge(Technique::BiasCorrection, tried, &mut best, &mut noise)?;
        Ok(best)
    }

    /// Keeps a technique where it pays; whether it does.
    fn judge(
        &self,
        technique: Technique,
        converted: Converted,
        best: &mut Improved,
        noise: &mut Noise,
    ) -> Result<bool, StageError> {
        let left = self.noise(&converted)?;
        let gain = Gain::of(noise, &left, &self.judged.sizes);
        best.tried.push(Tried {
            technique,
            kept: gain.pays(),
            judged_gain_db: gain.whole,
            judged_error_db: gain.error,
            gain_db: None,
        });
        if gain.pays() {
            let before = std::mem::replace(&mut best.converted, converted);
            best.stages.push(before.graph);
            *noise = left;
        }
        Ok(gain.pays())
    }

    fn scaled(&self, choice: Choice) -> Option<&Equalization> {
        self.equalization.as_ref().filter(|_| choice.equalized)
    }

    fn convert(&self, choice: Choice) -> Result<Converted, StageError> {
        let scaled = self.scaled(choice);
        let observations: Vec<(ValueId, &Observation)> = self
            .seen
            .observations
            .iter()
            .map(|(&id, plain)| (id, scaled.and_then(|_| self.seen.scaled.get(&id)).unwrap_or(plain)))
            .collect();
        let parts: Vec<&[(ValueId, &Observation)]> = observations.chunks(RANGES_AT_ONCE).collect();
        let states = for_each_index(parts.len(), self.options.threads, Vec::new, |own, index| {
            self.watch.check()?;
            for (id, observation) in parts[index] {
                let range = choose_range(observation, self.options.scheme, choice.clipping);
                own.extend(range.map(|range| (*id, range)));
            }
            Ok(())
        })?;
        let ranges: BTreeMap<ValueId, (f32, f32)> = states.into_iter().flatten().collect();
        let graph = scaled.map_or(self.graph, |equalization| &equalization.graph);
        let mut by_channel = BTreeMap::new();
        for (&id, lanes) in &self.seen.lanes {
            let factors = scaled.and_then(|equalization| equalization.factors.get(&id));
            let range = |(lane, observation): (usize, &Observation)| {
                let factor = factors.and_then(|factors| factors.get(lane)).copied().unwrap_or(1.0);
                let (low, high) = choose_range(observation, self.options.scheme, choice.clipping).unwrap_or((0.0, 0.0));
                (low * factor, high * factor)
            };
            by_channel.insert(id, lanes.iter().enumerate().map(range).collect::<Vec<_>>());
        }
        let mut converted = convert(graph, &self.sharing, &ranges, &by_channel)?;
        converted.factors = scaled.map(|equalization| equalization.factors.clone()).unwrap_or_default();
        Ok(converted)
    }

    /// For each of the images for judging the squared error of each value judged at.
    fn noise(&self, converted: &Converted) -> Result<Noise, StageError> {
        let executor = Executor::new(&converted.graph)?;
        let place = |value: &ValueId| converted.origin.iter().position(|origin| *origin == Some(*value));
        let judged: Vec<Option<TensorId>> =
            self.judged.values.iter().map(|value| place(value).map(|place| TensorId(place as u32))).collect();
        let states = for_each_index(self.judged.places.len(), self.options.threads, Vec::new, |own, index| {
            self.watch.check()?;
            let inputs = self.int8_inputs(&executor, self.judged.places[index])?;
            let mut noise = vec![0.0; judged.len()];
            executor.run_int8(&inputs, &mut |id, int8| {
                let floats = noise.iter_mut().zip(&self.judged.floats[index]).zip(&judged);
                for ((noise, float), _) in floats.filter(|(_, other)| **other == Some(id)) {
                    let sampled = self.judged.sampling.ranges(int8.len()).flat_map(|range| &int8[range]);
                    *noise = squared_error(float, sampled, converted.graph.value(id).encoding);
                }
            })?;
            own.push((index, noise));
            Ok(())
        })?;
        Ok(in_order(states))
    }

    /// A calibration image as the int8 inputs of a network.
    fn int8_inputs(&self, executor: &Executor<'_>, place: usize) -> Result<Arc<Vec<Vec<i8>>>, StageError> {
        self.watch.check()?;
        let graph = executor.graph();
        let encodings = graph.inputs.iter().map(|&id| graph.value(id).encoding);
        let key = (place, encodings.map(|encoding| (encoding.scale.to_bits(), encoding.zero_point)).collect());
        let known = self.inputs.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let image = load_sample(self.graph, self.calibration, place)?;
        let inputs = Arc::new(executor.quantize_inputs(&image.iter().map(Vec::as_slice).collect::<Vec<_>>())?);
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&inputs));
        Ok(inputs)
    }

    fn corrected(&self, converted: &Converted) -> Result<Converted, StageError> {
        let mut corrected = converted.clone();
        let executor = Executor::new(&converted.graph)?;
        let states = for_each_index(self.fitted.len(), self.options.threads, Vec::new, |own, index| {
            own.push((index, self.int8_inputs(&executor, self.fitted[index])?));
            Ok(())
        })?;
        let images: Vec<Arc<Vec<Vec<i8>>>> = in_order(states);
        correct_biases(&mut corrected, &executor, &self.statistics, &images, self.options.threads, self.watch)?;
        Ok(corrected)
    }
}

/// What threads gathered by index.
fn in_order<T>(states: Vec<Vec<(usize, T)>>) -> Vec<T> {
    let mut all: Vec<(usize, T)> = states.into_iter().flatten().collect();
    all.sort_by_key(|&(index, _)| index);
    all.into_iter().map(|(_, own)| own).collect()
}

/// The squared error of elements of an int8 tensor.
fn squared_error<'a>(float: &[f32], int8: impl Iterator<Item = &'a i8>, encoding: Encoding) -> f64 {
    float.iter().zip(int8).map(|(&x, &q)| (f64::from(x) - encoding.dequantize_wide(q)).powi(2)).sum()
}

/// By image, by value judged at: the squared error.
type Noise = Vec<Vec<f64>>;

/// What a technique brings on the images that it is judged on, in dB.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Gain {
    /// By how much the noise of all images falls, on average over the values' elements.
    whole: f64,
    /// Its standard error, by leaving out each image in turn.
    error: f64,
}

impl Gain {
    fn of(before: &Noise, after: &Noise, sizes: &[usize]) -> Self {
        let all: usize = sizes.iter().sum();
        let without = |left_out: Option<usize>| -> f64 {
            let sum = |noise: &Noise, value: usize| -> f64 {
                let images = noise.iter().enumerate().filter(|&(image, _)| Some(image) != left_out);
                images.map(|(_, values)| values[value]).sum::<f64>().max(f64::MIN_POSITIVE)
            };
            let gain = |(value, &size): (usize, &usize)| {
                10.0 * libm::log10(sum(before, value) / sum(after, value)) * size as f64 / all as f64
            };
            sizes.iter().enumerate().map(gain).sum()
        };
        let count = before.len() as f64;
        let others: Vec<f64> = (0..before.len()).map(|image| without(Some(image))).collect();
        let mean = others.iter().sum::<f64>() / count;
        let squares: f64 = others.iter().map(|other| (other - mean) * (other - mean)).sum();
        Self { whole: without(None), error: (squares * (count - 1.0) / count).sqrt() }
    }

    /// Whether the gain is worth it and not likely chance: several techniques are tried, on few images.
    fn pays(self) -> bool {
        self.whole > LEAST_GAIN && self.whole > ERRORS * self.error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_one_image_alone_does_not_pay() {
        let noise = |of: [f64; 4]| -> Noise { of.iter().map(|&noise| vec![noise]).collect() };
        let pays = |after| Gain::of(&noise([1.0, 2.0, 3.0, 4.0]), &noise(after), &[7]).pays();
        assert!(pays([0.8, 1.6, 2.5, 3.3]));
        assert!(!pays([1.1, 2.1, 3.0, 1.0]), "one image is much better");
        assert!(!pays([1.0, 2.0, 3.0, 4.0]));
    }

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
    fn images_far_from_the_mean_are_judged_on() {
        let floats: Vec<Vec<Vec<f32>>> =
            (0..20).map(|image| vec![vec![if image % 3 == 1 { 9.0 } else { 0.1 }]]).collect();
        let far = telling(&floats);
        assert_eq!(far.len(), MOST_JUDGED);
        assert_eq!(far.iter().filter(|&&image| image % 3 == 1).count(), 7);
    }
}
