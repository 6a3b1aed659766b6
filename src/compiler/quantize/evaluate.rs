//! Measures the integer reference against the float network, tensor by tensor, image by image.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::compiler::calibrate::FloatEngine;
use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Watch;
use crate::compiler::calibrate::for_each_index;
use crate::compiler::calibrate::lanes;
use crate::compiler::calibrate::load_sample;
use crate::compiler::error::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::graph::ValueId;
use crate::compiler::machine::Work;
use crate::compiler::machine::vectorized_work;
use crate::compiler::quantize::Classes;
use crate::compiler::quantize::Converted;
use crate::compiler::quantize::Evaluation;
use crate::compiler::quantize::QuantizeOptions;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedValue;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::ValueQuality;
use crate::compiler::quantize::agreement;
use crate::compiler::quantize::contract::Encoding;
use crate::compiler::quantize::decibels;
use crate::compiler::quantize::largest;
use crate::compiler::quantize::names_classes;
use crate::compiler::quantize::not_finite;
use crate::compiler::reference::Buffers;
use crate::compiler::reference::Executor;

/// The most samples on which stages are measured: they are there for comparison.
pub(super) const STAGED: usize = 4;

/// Parts of a step in which means over images are summed: whole numbers, so that the order of images does not matter.
const PARTS: f64 = 256.0;

/// Sums over the elements of one tensor on one image.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    signal: f64,
    noise: f64,
    product: f64,
    answer: f64,
    /// Σx² with x in whole parts of a step.
    parts: f64,
    outside: u64,
    elements: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.signal += other.signal;
        self.noise += other.noise;
        self.product += other.product;
        self.answer += other.answer;
        self.parts += other.parts;
        self.outside += other.outside;
        self.elements += other.elements;
    }
}

/// Compares one tensor. Int8 stands for the float tensor times `factor`.
fn compare(float: &[f32], int8: &[i8], (encoding, factor): (Encoding, f32)) -> Tally {
    let wide = f64::from(factor);
    let measure = Measure {
        zero_point: i32::from(encoding.zero_point),
        step: (f64::from(encoding.scale) / wide) as f32,
        low: ((encoding.dequantize_wide(i8::MIN) - 0.5 * f64::from(encoding.scale)) / wide) as f32,
        high: ((encoding.dequantize_wide(i8::MAX) + 0.5 * f64::from(encoding.scale)) / wide) as f32,
    };
    let mut tally = Tally { elements: float.len() as u64, ..Tally::default() };
    for (float, int8) in float.chunks(BLOCK).zip(int8.chunks(BLOCK)) {
        let lanes = vectorized_work(Comparison { measure, float, int8 });
        let sum = |lanes: [f32; LANES]| lanes.into_iter().map(f64::from).sum::<f64>();
        tally.signal += sum(lanes.signal);
        tally.noise += sum(lanes.noise);
        tally.product += sum(lanes.product);
        tally.answer += sum(lanes.answer);
        tally.outside += lanes.outside.into_iter().map(u64::from).sum::<u64>();
    }
    tally
}

/// 1.5·2⁵²: adding it rounds a small number to a whole one, which the lowest bits of the sum are.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

/// Adds x in whole parts of a step to the sums over the images; returns Σx² of these.
fn add_parts(float: &[f32], per_part: f64, sums: &mut [i32]) -> f64 {
    let mut squares = 0.0;
    for (&x, sum) in float.iter().zip(sums) {
        // Beyond 2²⁰ parts (16 ranges) a mean is no longer exact, but still the same on any number of threads.
        let part = (f64::from(x) * per_part).clamp(-1_048_576.0, 1_048_576.0) + ROUNDING;
        *sum = sum.wrapping_add(part.to_bits() as i32);
        squares += (part - ROUNDING) * (part - ROUNDING);
    }
    squares
}

/// Elements that are compared side by side.
const LANES: usize = 16;

/// Elements whose sums are held in f32: few enough that these are as good as exact.
const BLOCK: usize = 64 * LANES;

/// Tallies of elements that lie [`LANES`] apart, each kind of sum by itself so that it fills registers.
struct Lanes {
    signal: [f32; LANES],
    noise: [f32; LANES],
    product: [f32; LANES],
    answer: [f32; LANES],
    outside: [u32; LANES],
}

/// What elements of one tensor are measured by.
#[derive(Clone, Copy)]
struct Measure {
    zero_point: i32,
    /// What a step of int8 is of the float tensor.
    step: f32,
    /// What lies beyond these is outside of the range.
    low: f32,
    high: f32,
}

impl Lanes {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
    fn see(&mut self, measure: Measure, lane: usize, x: f32, q: i8) {
        let y = (i32::from(q) - measure.zero_point) as f32 * measure.step;
        self.signal[lane] += x * x;
        self.noise[lane] += (x - y) * (x - y);
        self.product[lane] += x * y;
        self.answer[lane] += y * y;
        self.outside[lane] += u32::from(x < measure.low) + u32::from(x > measure.high);
    }
}

/// Part of one tensor that is to be compared.
struct Comparison<'a> {
    measure: Measure,
    float: &'a [f32],
    int8: &'a [i8],
}

impl Work for Comparison<'_> {
    type Output = Lanes;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
    fn run(self) -> Lanes {
        let zeros = [0.0; LANES];
        let mut lanes = Lanes { signal: zeros, noise: zeros, product: zeros, answer: zeros, outside: [0; LANES] };
        let ((floats, rest), (answers, last)) = (self.float.as_chunks::<LANES>(), self.int8.as_chunks::<LANES>());
        for (floats, answers) in floats.iter().zip(answers) {
            for lane in 0..LANES {
                lanes.see(self.measure, lane, floats[lane], answers[lane]);
            }
        }
        for (lane, (&x, &q)) in rest.iter().zip(last).enumerate() {
            lanes.see(self.measure, lane, x, q);
        }
        lanes
    }
}

/// One image: its place, the tallies by place in the list of compared values, the classes, the noise of each stage.
type Image = (usize, Vec<Tally>, Option<Classes>, Vec<f64>);

/// What one thread saw.
#[derive(Debug, Default)]
struct Seen {
    images: Vec<Image>,
    /// By output, then by element: Σx over the images.
    sums: Vec<Vec<i32>>,
    /// By value: what int8 has of the image at hand.
    answers: Vec<Vec<i8>>,
}

/// Runs every evaluation sample through the float network and the integer reference; `None` when there are none. Also the
/// squared error of all outputs on the first `STAGED` samples of each of the `stages` (the same network, quantized with
/// less care) and, last, of the whole.
pub fn evaluate(
    graph: &Graph,
    converted: &Converted,
    stages: &[QuantizedGraph],
    samples: &dyn Samples,
    options: &QuantizeOptions,
    watch: &Watch<'_>,
) -> Result<Option<(Evaluation, Vec<f64>)>, StageError> {
    if samples.is_empty() {
        return Ok(None);
    }
    let buffers = Buffers::new(options.threads);
    let stages: Vec<Executor<'_>> =
        stages.iter().map(|stage| Executor::sharing(stage, &buffers)).collect::<Result<_, _>>()?;
    let quantized = &converted.graph;
    let executor = Executor::sharing(quantized, &buffers)?;
    let compared = compared_values(converted);
    // Of a value that is there with one encoding and with one for each channel the engine shows the float elements once.
    let mut known = BTreeSet::new();
    let floats: Vec<ValueId> = compared.iter().map(|&(_, float)| float).filter(|&float| known.insert(float)).collect();
    let engine = FloatEngine::prepared(graph, &floats, options.threads)?;
    let mut places: BTreeMap<ValueId, Vec<usize>> = BTreeMap::new();
    for (place, &(_, float)) in compared.iter().enumerate() {
        places.entry(float).or_default().push(place);
    }
    let classifier = quantized.outputs.iter().copied().find(|&output| {
        options.class_count.is_some_and(|classes| names_classes(&quantized.value(output).shape, classes))
    });
    let done = AtomicUsize::new(0);
    let states = for_each_index(samples.len(), options.threads, Seen::default, |seen, index| {
        watch.check()?;
        let buffers = load_sample(graph, samples, index)?;
        let inputs: Vec<&[f32]> = buffers.iter().map(Vec::as_slice).collect();
        let int8_inputs = executor.quantize_inputs(&inputs)?;
        let Seen { images, sums, answers } = seen;
        answers.resize(quantized.values.len(), Vec::new());
        let mut keep = |id: TensorId, values: &[i8]| {
            answers[id.index()].clear();
            answers[id.index()].extend_from_slice(values);
        };
        quantized.inputs.iter().zip(&int8_inputs).for_each(|(id, input)| keep(*id, input));
        executor.run_int8(&int8_inputs, &mut keep)?;
        sums.resize(quantized.outputs.len(), Vec::new());
        let mut tallies = vec![Tally::default(); compared.len()];
        let mut classes = None;
        let mut outputs = vec![Vec::new(); quantized.outputs.len()];
        let mut infinite = None;
        engine.run(&inputs, &mut |float, values| {
            for &place in places.get(&float).into_iter().flatten() {
                let id = compared[place].0;
                let answer = &answers[id.index()];
                let (value, factors) = (quantized.value(id), converted.factors.get(&float));
                let divided = lanes(&value.shape).filter(|_| factors.is_some() || !value.channels.is_empty());
                let plane = divided.map_or(values.len(), |(_, plane)| plane).max(1);
                for (lane, (values, answer)) in values.chunks(plane).zip(answer.chunks(plane)).enumerate() {
                    let factor = factors.and_then(|factors| factors.get(lane)).copied().unwrap_or(1.0);
                    tallies[place].add(&compare(values, answer, (value.encoding_of(lane), factor)));
                }
                let of_output = outputs.iter_mut().zip(sums.iter_mut()).zip(&quantized.outputs);
                for ((output, sums), _) in of_output.filter(|(_, output)| **output == id) {
                    output.extend_from_slice(values);
                    if !values.iter().all(|x| x.is_finite()) {
                        infinite = Some(&value.name);
                    }
                    sums.resize(values.len(), 0);
                    tallies[place].parts = add_parts(values, PARTS / f64::from(value.encoding.scale), sums);
                }
                if Some(id) == classifier {
                    let label = samples.label(index);
                    classes = Some(Classes { float: largest(values), int8: largest(answer), label });
                }
            }
        })?;
        if let Some(name) = infinite {
            return Err(not_finite(name));
        }
        let own: Vec<Vec<i8>> = quantized.outputs.iter().map(|id| answers[id.index()].clone()).collect();
        let own = executor.dequantize_outputs(&own);
        samples.answered(index, &outputs, &own)?;
        let mut noise = Vec::new();
        if index < STAGED {
            for stage in &stages {
                noise.push(squared_error(&stage.run(&inputs)?, &outputs));
            }
            noise.push(squared_error(&own, &outputs));
        }
        images.push((index, tallies, classes, noise));
        (watch.progress)("evaluate", done.fetch_add(1, Ordering::SeqCst) + 1, samples.len());
        Ok(())
    })?;
    let total = Total::of(states, compared.len(), [quantized.outputs.len(), stages.len() + 1]);
    Ok(Some((summarize(quantized, &compared, &total, classifier), total.noise)))
}

/// The squared error of all outputs of one image.
fn squared_error(found: &[Vec<f32>], float: &[Vec<f32>]) -> f64 {
    let pairs = found.iter().zip(float).flat_map(|(found, float)| found.iter().zip(float));
    pairs.map(|(&found, &float)| (f64::from(found) - f64::from(float)).powi(2)).sum()
}

/// What nodes write, with the float values they stand for.
fn compared_values(converted: &Converted) -> Vec<(TensorId, ValueId)> {
    let graph = &converted.graph;
    graph.nodes.iter().filter_map(|node| Some((node.output, converted.origin[node.output.index()]?))).collect()
}

/// All threads' sums in one, images in order.
struct Total {
    tallies: Vec<Tally>,
    sums: Vec<Vec<i32>>,
    classes: Vec<Classes>,
    images: usize,
    /// By stage.
    noise: Vec<f64>,
}

impl Total {
    fn of(states: Vec<Seen>, count: usize, [outputs, stages]: [usize; 2]) -> Self {
        let mut total = Self {
            tallies: vec![Tally::default(); count],
            sums: vec![Vec::new(); outputs],
            classes: Vec::new(),
            images: 0,
            noise: vec![0.0; stages],
        };
        let mut images = Vec::new();
        for seen in states {
            for (sums, own) in total.sums.iter_mut().zip(&seen.sums) {
                sums.resize(own.len().max(sums.len()), 0);
                sums.iter_mut().zip(own).for_each(|(sum, own)| *sum = sum.wrapping_add(*own));
            }
            images.extend(seen.images);
        }
        images.sort_by_key(|&(index, ..)| index);
        total.images = images.len();
        for (_, tallies, classes, noise) in images {
            total.noise.iter_mut().zip(&noise).for_each(|(total, noise)| *total += noise);
            total.tallies.iter_mut().zip(&tallies).for_each(|(total, tally)| total.add(tally));
            total.classes.extend(classes);
        }
        total
    }

    /// Σ over images and elements of an output of (x − mean over images)².
    fn centred(&self, output: usize, place: usize, scale: f32) -> f64 {
        let squares: f64 = self.sums[output].iter().map(|&sum| f64::from(sum) * f64::from(sum)).sum();
        let part = f64::from(scale) / PARTS;
        (self.tallies[place].parts - squares / self.images as f64).max(0.0) * part * part
    }
}

/// The smallest and the largest number that a tensor's int8 stands for.
fn range(value: &QuantizedValue) -> [f64; 2] {
    let encodings = if value.channels.is_empty() { std::slice::from_ref(&value.encoding) } else { &value.channels };
    let bounds = |q: i8| encodings.iter().map(move |encoding| encoding.dequantize_wide(q));
    [bounds(i8::MIN).fold(f64::INFINITY, f64::min), bounds(i8::MAX).fold(f64::NEG_INFINITY, f64::max)]
}

fn summarize(
    graph: &QuantizedGraph,
    compared: &[(TensorId, ValueId)],
    total: &Total,
    classifier: Option<TensorId>,
) -> Evaluation {
    let mut layers = Vec::new();
    let mut outputs = Vec::new();
    let (mut whole, mut whole_centred) = (Tally::default(), 0.0);
    let nodes: BTreeMap<TensorId, &QuantizedNode> = graph.nodes.iter().map(|node| (node.output, node)).collect();
    for (place, &(id, _)) in compared.iter().enumerate() {
        let Some(node) = nodes.get(&id) else { continue };
        let value = graph.value(id);
        let tally = &total.tallies[place];
        let output = graph.outputs.iter().position(|output| *output == id);
        let centred = output.map_or(0.0, |output| total.centred(output, place, value.encoding.scale));
        let several = total.images > 1;
        let energy = tally.signal * tally.answer;
        let quality = ValueQuality {
            name: value.name.clone(),
            node: node.name.clone(),
            operator: node.operator.name().to_owned(),
            integer: node.operator.is_integer(),
            sqnr_db: decibels(tally.signal, tally.noise),
            centred_sqnr_db: decibels(centred, tally.noise).filter(|_| several),
            cosine: (energy > 0.0 && energy.is_finite()).then(|| tally.product / energy.sqrt()),
            saturated: Some(tally.outside as f64 / tally.elements.max(1) as f64),
            range: Some(range(value)),
        };
        if output.is_some() {
            whole.add(tally);
            whole_centred += centred;
        }
        if !node.operator.is_movement() {
            layers.push(quality.clone());
        }
        outputs.push((id, quality));
    }
    layers.sort_by(|left, right| {
        let quality = |layer: &ValueQuality| layer.sqnr_db.unwrap_or(f64::INFINITY);
        quality(left).total_cmp(&quality(right)).then_with(|| left.name.cmp(&right.name))
    });
    let find = |id: &TensorId| outputs.iter().find(|(other, _)| other == id).map(|(_, quality)| quality.clone());
    Evaluation {
        images: total.images,
        sqnr_db: decibels(whole.signal, whole.noise),
        centred_sqnr_db: decibels(whole_centred, whole.noise).filter(|_| total.images > 1),
        outputs: graph.outputs.iter().filter_map(find).collect(),
        layers,
        classification: classifier.map(|output| agreement(&graph.value(output).name, &total.classes)),
    }
}
