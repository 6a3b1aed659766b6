//! The host's parts round the core: the preamble before calibration and evaluation, the postamble behind the core's outputs.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::compiler::StageError;
use crate::compiler::calibrate::FloatEngine;
use crate::compiler::calibrate::Samples;
use crate::compiler::graph::Graph;
use crate::compiler::quantize::Classes;
use crate::compiler::quantize::Evaluation;
use crate::compiler::quantize::ValueQuality;
use crate::compiler::quantize::agreement;
use crate::compiler::quantize::decibels;
use crate::compiler::quantize::largest;
use crate::compiler::quantize::names_classes;
use crate::compiler::quantize::not_finite;
use crate::compiler::split::Parts;

/// Parts of a unit in which sums over images are taken, 2¹⁰: whole numbers, so that the order of images does not matter. Elements
/// of up to 2⁴⁰ of 8,192 images fit 64 bits.
const PARTS: f64 = 1024.0;

/// Parts of these in which what is left is summed, 2⁵⁰: outputs may be far below 1.
const FINE: f64 = 1_125_899_906_842_624.0;

/// Tensors that were computed.
type Tensors = Result<Vec<Vec<f32>>, StageError>;

/// One of the host's graphs, ready to run.
struct HostGraph {
    graph: Graph,
    engine: FloatEngine,
}

impl HostGraph {
    fn new(graph: &Graph) -> Result<Self, StageError> {
        Ok(Self { graph: graph.clone(), engine: FloatEngine::new(graph, &graph.outputs)? })
    }

    fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, StageError> {
        let mut outputs = Vec::with_capacity(self.graph.outputs.len());
        self.engine.run(inputs, &mut |_, elements| outputs.push(elements.to_vec()))?;
        Ok(outputs)
    }
}

/// The host's graphs of a model that is cut.
pub struct HostParts {
    preamble: Option<HostGraph>,
    postamble: Option<HostGraph>,
    /// Names of the network's inputs, in order.
    inputs: Vec<String>,
    /// Names of the core's outputs, in order.
    core_outputs: Vec<String>,
    /// How many inputs the core has.
    core_inputs: usize,
    /// Multiplications that the host does.
    macs: u64,
}

fn names(graph: &Graph, ids: &[crate::compiler::graph::ValueId]) -> Vec<String> {
    ids.iter().map(|&id| graph.value(id).name.clone()).collect()
}

impl HostParts {
    /// Prepares what the host runs; fails when the float engine cannot load it.
    pub fn new(parts: &Parts) -> Result<Self, StageError> {
        let first = parts.preamble.as_ref().unwrap_or(&parts.core);
        let mut inputs = names(first, &first.inputs);
        let core_outputs = names(&parts.core, &parts.core.outputs);
        let before = parts.preamble.iter().flat_map(|part| names(part, &part.outputs));
        let known: Vec<String> = before.chain(core_outputs.iter().cloned()).collect();
        let read = parts.postamble.iter().flat_map(|part| names(part, &part.inputs));
        let more: Vec<String> = read.filter(|name| !known.contains(name) && !inputs.contains(name)).collect();
        inputs.extend(more);
        Ok(Self {
            preamble: parts.preamble.as_ref().map(HostGraph::new).transpose()?,
            postamble: parts.postamble.as_ref().map(HostGraph::new).transpose()?,
            inputs,
            core_outputs,
            core_inputs: parts.core.inputs.len(),
            macs: parts.host_macs(),
        })
    }

    /// The host's graphs of a compiled model; names of the network's inputs, the number of the core's, and
    /// names of its outputs, in order.
    pub fn round(
        preamble: Option<&Graph>,
        postamble: Option<&Graph>,
        inputs: Vec<String>,
        core_inputs: usize,
        core_outputs: Vec<String>,
    ) -> Result<Self, StageError> {
        let macs = preamble.into_iter().chain(postamble).map(Graph::macs).fold(0, u64::saturating_add);
        Ok(Self {
            preamble: preamble.map(HostGraph::new).transpose()?,
            postamble: postamble.map(HostGraph::new).transpose()?,
            inputs,
            core_outputs,
            core_inputs,
            macs,
        })
    }

    /// One run of the whole network: the preamble, what `core` makes of its inputs, the postamble.
    pub fn run(&self, inputs: &[Vec<f32>], core: &dyn Fn(&[Vec<f32>]) -> Tensors) -> Tensors {
        let mut made = self.before_core(inputs)?;
        made.truncate(self.core_inputs);
        self.behind_core(&core(&made)?, &|| Ok(inputs.to_vec()))
    }

    /// What the preamble makes of the network's inputs: those of the core first. Without one they are what there is.
    fn before_core(&self, inputs: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, StageError> {
        let Some(preamble) = &self.preamble else { return Ok(inputs.to_vec()) };
        let taken: Vec<&[f32]> = inputs.iter().take(preamble.graph.inputs.len()).map(Vec::as_slice).collect();
        preamble.run(&taken)
    }

    /// The network's outputs; `sample` gives the network's inputs where the postamble reads more than the core's outputs.
    fn behind_core(
        &self,
        outputs: &[Vec<f32>],
        sample: &dyn Fn() -> Result<Vec<Vec<f32>>, StageError>,
    ) -> Result<Vec<Vec<f32>>, StageError> {
        let Some(postamble) = &self.postamble else { return Ok(outputs.to_vec()) };
        let mut known: BTreeMap<&str, &[f32]> = BTreeMap::new();
        for (name, output) in self.core_outputs.iter().zip(outputs) {
            known.insert(name, output);
        }
        let read = names(&postamble.graph, &postamble.graph.inputs);
        let (inputs, made);
        let made_names;
        if read.iter().any(|name| !known.contains_key(name.as_str())) {
            inputs = sample()?;
            made = self.before_core(&inputs)?;
            made_names = self.preamble.as_ref().map(|part| names(&part.graph, &part.graph.outputs)).unwrap_or_default();
            known.extend(made_names.iter().map(String::as_str).zip(made.iter().map(Vec::as_slice)));
            known.extend(self.inputs.iter().map(String::as_str).zip(inputs.iter().map(Vec::as_slice)));
        }
        let taken: Vec<&[f32]> =
            read.iter().map(|name| known.get(name.as_str()).copied().unwrap_or_default()).collect();
        postamble.run(&taken)
    }

    /// What the network itself, host parts included, is worth: the evaluation of the core gets its outputs from here. The
    /// multiplications of the host count as float ones.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.macs
    }
}

/// Samples of the network as the core gets them, which measure the network's own outputs on the way.
pub struct Measured<'a> {
    host: &'a HostParts,
    samples: &'a dyn Samples,
    class_count: Option<usize>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// By image, then by output.
    images: BTreeMap<usize, (Vec<Tally>, Option<Classes>)>,
    /// By output, then by element: x over the images, in whole parts of a unit and fine parts of these.
    sums: Vec<Vec<[i64; 2]>>,
}

/// Sums over the elements of one output on one image.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    signal: f64,
    noise: f64,
    product: f64,
    answer: f64,
}

impl<'a> Measured<'a> {
    /// Samples of the network; the first output with one number for each of `class_count` classes is a classifier's.
    #[must_use]
    pub fn new(host: &'a HostParts, samples: &'a dyn Samples, class_count: Option<usize>) -> Self {
        Self { host, samples, class_count: class_count.filter(|&count| count > 1), seen: Mutex::default() }
    }

    /// Puts the network's outputs in the place of the core's.
    pub fn correct(self, evaluation: &mut Evaluation) {
        let Some(postamble) = &self.host.postamble else { return };
        let Seen { images, sums } = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut whole = Tally::default();
        let mut whole_centred = 0.0;
        let count = images.len();
        let mut outputs = Vec::new();
        for (place, &id) in postamble.graph.outputs.iter().enumerate() {
            let mut total = Tally::default();
            images.values().filter_map(|(tallies, _)| tallies.get(place)).for_each(|tally| total.add(tally));
            let sum = |&[parts, fine]: &[i64; 2]| (parts as f64 + fine as f64 / FINE) / PARTS;
            let squares: f64 = sums.get(place).into_iter().flatten().map(|sums| sum(sums).powi(2)).sum();
            let centred = (total.signal - squares / count.max(1) as f64).max(0.0);
            whole.add(&total);
            whole_centred += centred;
            let value = postamble.graph.value(id);
            let node = postamble.graph.nodes.iter().find(|node| node.output == id);
            outputs.push(ValueQuality {
                name: value.name.clone(),
                node: node.map(|node| node.name.clone()).unwrap_or_default(),
                operator: node.map(|node| node.operator.name().to_owned()).unwrap_or_default(),
                integer: false,
                sqnr_db: decibels(total.signal, total.noise),
                centred_sqnr_db: decibels(centred, total.noise).filter(|_| count > 1),
                cosine: {
                    let energy = total.signal * total.answer;
                    (energy > 0.0 && energy.is_finite()).then(|| total.product / energy.sqrt())
                },
                saturated: None,
                range: None,
            });
        }
        evaluation.sqnr_db = decibels(whole.signal, whole.noise);
        evaluation.centred_sqnr_db = decibels(whole_centred, whole.noise).filter(|_| count > 1);
        let classes: Vec<Classes> = images.values().filter_map(|(_, classes)| *classes).collect();
        let classifier = self.class_count.and_then(|wanted| classifier(&postamble.graph, wanted));
        evaluation.classification =
            classifier.and_then(|place| outputs.get(place)).map(|output| agreement(&output.name, &classes));
        evaluation.outputs = outputs;
    }
}

/// The place of the first output with a number for each of so many classes.
fn classifier(graph: &Graph, classes: usize) -> Option<usize> {
    graph.outputs.iter().position(|&output| names_classes(&graph.value(output).shape, classes))
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.signal += other.signal;
        self.noise += other.noise;
        self.product += other.product;
        self.answer += other.answer;
    }

    /// Compares one output on one image; `sums` gathers x.
    fn of(float: &[f32], int8: &[f32], sums: &mut Vec<[i64; 2]>) -> Self {
        let mut tally = Self::default();
        sums.resize(float.len().max(sums.len()), [0; 2]);
        for ((&x, &y), [parts, fine]) in float.iter().zip(int8).zip(sums) {
            let (x, y) = (f64::from(x), f64::from(y));
            tally.signal += x * x;
            tally.noise += (x - y) * (x - y);
            tally.product += x * y;
            tally.answer += y * y;
            let scaled = (x * PARTS).clamp(-FINE, FINE);
            *parts = parts.wrapping_add(scaled as i64);
            *fine = fine.wrapping_add((scaled.fract() * FINE) as i64);
        }
        tally
    }
}

impl Samples for Measured<'_> {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn load(&self, index: usize) -> Result<Vec<Vec<f32>>, String> {
        let mut made = self.samples.load(index)?;
        if self.host.preamble.is_some() {
            made = self.host.before_core(&made).map_err(|error| error.to_string())?;
        }
        made.truncate(self.host.core_inputs);
        Ok(made)
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.samples.label(index)
    }

    fn answered(&self, index: usize, float: &[Vec<f32>], int8: &[Vec<f32>]) -> Result<(), StageError> {
        let Some(postamble) = &self.host.postamble else { return Ok(()) };
        let sample = || {
            let failed = |message| StageError::new(crate::compiler::Status::QtoolsError, message);
            self.samples.load(index).map_err(failed)
        };
        let float = self.host.behind_core(float, &sample)?;
        let names = names(&postamble.graph, &postamble.graph.outputs);
        if let Some((name, _)) = names.iter().zip(&float).find(|(_, output)| !output.iter().all(|x| x.is_finite())) {
            return Err(not_finite(name));
        }
        let int8 = self.host.behind_core(int8, &sample)?;
        let classes = self.class_count.and_then(|wanted| classifier(&postamble.graph, wanted)).and_then(|place| {
            let (float, int8) = (largest(float.get(place)?), largest(int8.get(place)?));
            Some(Classes { float, int8, label: self.samples.label(index) })
        });
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.sums.resize(float.len(), Vec::new());
        let compared = float.iter().zip(&int8).zip(&mut seen.sums);
        let tallies = compared.map(|((float, int8), sums)| Tally::of(float, int8, sums)).collect();
        seen.images.insert(index, (tallies, classes));
        Ok(())
    }
}
