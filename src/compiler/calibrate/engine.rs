//! The float network: convolutions and what stands between them by our own kernels, everything else by rten on our own
//! export of the graph.
//!
//! What is left to rten is cut into consecutive segments, each a small model of its own. Only what a later step reads is
//! kept between two of them, so that observing every activation of a network does not keep every activation.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use prost::Message;
use rten::Model;
use rten::ModelOptions;
use rten::NodeId as EngineId;
use rten::RunOptions;
use rten::ThreadPool;
use rten::Value as EngineValue;
use rten::ValueOrView;
use rten_tensor::AsView;
use rten_tensor::Tensor as EngineTensor;
use rten_tensor::TensorView;

use crate::compiler::StageError;
use crate::compiler::Status;
use crate::compiler::calibrate::convolution::Scratch;
use crate::compiler::calibrate::direct::DirectNode;
use crate::compiler::calibrate::for_each_index;

use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::graph::ValueId;
use crate::compiler::graph::element_count;
use crate::compiler::onnx::export_proto;

/// Bytes of observed values that one segment may hold at once.
const SEGMENT_BYTES: usize = 8 << 20;

/// Runs a float graph and shows chosen values. One engine serves any number of threads; each run uses one.
pub struct FloatEngine {
    graph: Graph,
    observed: Vec<ValueId>,
    steps: Vec<Step>,
    /// For each step the values that nobody needs behind it.
    let_go: Vec<Vec<ValueId>>,
    /// Each run takes a worker out of here, or makes one.
    workers: Mutex<Vec<Worker>>,
}

/// What a run needs for itself.
#[derive(Default)]
struct Worker {
    /// rten runs inside a pool: one of a single thread.
    pool: Option<Arc<ThreadPool>>,
    scratch: Scratch,
    /// Buffers of values that nobody reads any more.
    spare: Vec<Vec<f32>>,
}

/// A part of the network.
enum Step {
    /// Consecutive nodes, run by rten.
    Segment(Box<Segment>),
    /// One node, computed here: what it reads and what it writes.
    Direct(DirectNode, Vec<ValueId>, ValueId),
    /// Done by the step before.
    Nothing,
}

/// Consecutive nodes as a model of their own.
struct Segment {
    model: Model,
    /// Values read that the segment does not make, and their shapes.
    inputs: Vec<(ValueId, EngineId, Vec<usize>)>,
    /// Values made that are observed or read later.
    outputs: Vec<(ValueId, EngineId)>,
}

/// The elements of a value.
enum Elements {
    /// In a buffer that has room for more: so many of it.
    Made(Vec<f32>, usize),
    /// A buffer of rten's own.
    Brought(EngineTensor<f32>),
}

impl Elements {
    fn row_major(&self) -> Cow<'_, [f32]> {
        match self {
            Self::Made(buffer, count) => Cow::Borrowed(buffer.get(..*count).unwrap_or_default()),
            Self::Brought(tensor) => tensor.data().map_or_else(|| Cow::Owned(tensor.to_vec()), Cow::Borrowed),
        }
    }
}

type Held = BTreeMap<ValueId, Elements>;

fn failed(message: impl Into<String>) -> StageError {
    StageError::new(Status::QtoolsError, message)
}

impl FloatEngine {
    /// Prepares `graph` for observing `observed` (values of it; inputs and constants too). Fails when the engine cannot
    /// load what the graph is written as.
    pub fn new(graph: &Graph, observed: &[ValueId]) -> Result<Self, StageError> {
        Self::prepared(graph, observed, 1)
    }

    /// The same, prepared on so many threads.
    pub fn prepared(graph: &Graph, observed: &[ValueId], threads: usize) -> Result<Self, StageError> {
        let wanted: BTreeSet<ValueId> = observed.iter().copied().collect();
        let last = graph.nodes.iter().rposition(|node| wanted.contains(&node.output)).map_or(0, |last| last + 1);
        let cuts = cuts(graph, &wanted, last);
        let mut last_read = BTreeMap::new();
        let mut made_at = BTreeMap::new();
        for (index, nodes) in cuts.windows(2).enumerate() {
            for node in &graph.nodes[nodes[0]..nodes[1]] {
                made_at.insert(node.output, index);
                last_read.extend(node.inputs.iter().map(|input| (*input, index)));
            }
        }
        let alone: Vec<usize> =
            cuts.windows(2).filter(|nodes| nodes[0] + 1 == nodes[1]).map(|nodes| nodes[0]).collect();
        let direct = for_each_index(alone.len(), threads, Vec::new, |own, index| {
            own.push((alone[index], DirectNode::of(graph, &graph.nodes[alone[index]])));
            Ok(())
        })?;
        let mut direct: BTreeMap<usize, Option<DirectNode>> = direct.into_iter().flatten().collect();
        let consumers = graph.consumers();
        let mut steps = Vec::new();
        for (index, nodes) in cuts.windows(2).enumerate() {
            if steps.len() > index {
                continue;
            }
            if let [node] = &graph.nodes[nodes[0]..nodes[1]]
                && let Some(mut direct) = direct.remove(&nodes[0]).flatten()
            {
                let inputs = node.inputs.iter().take(direct.operands()).copied().collect();
                let is_private = consumers[node.output.index()].len() == 1 && !wanted.contains(&node.output);
                let behind =
                    graph.nodes.get(nodes[1]).filter(|behind| nodes[1] < last && behind.inputs == [node.output]);
                match behind {
                    Some(behind) if is_private && direct.activated(behind) => {
                        steps.push(Step::Direct(direct, inputs, behind.output));
                        steps.push(Step::Nothing);
                    }
                    _ => steps.push(Step::Direct(direct, inputs, node.output)),
                }
                continue;
            }
            let made: Vec<ValueId> = graph.nodes[nodes[0]..nodes[1]].iter().map(|node| node.output).collect();
            let is_wanted = |id: &ValueId| wanted.contains(id) || last_read.get(id).is_some_and(|&last| last > index);
            let outputs: Vec<ValueId> = made.into_iter().filter(is_wanted).collect();
            steps.push(Step::Segment(Box::new(Segment::new(graph, nodes[0]..nodes[1], outputs)?)));
        }
        // A value is shown when all before it have been: until then, and until its last reader, it is held.
        let mut needed = last_read;
        let mut shown = 0;
        for id in observed {
            shown = shown.max(made_at.get(id).copied().unwrap_or(0));
            let needed = needed.entry(*id).or_insert(shown);
            *needed = (*needed).max(shown);
        }
        let mut let_go = vec![Vec::new(); steps.len()];
        for id in made_at.keys().chain(&graph.inputs) {
            let last = needed.get(id).or(made_at.get(id)).copied().unwrap_or(0);
            let_go.get_mut(last).into_iter().for_each(|let_go: &mut Vec<ValueId>| let_go.push(*id));
        }
        Ok(Self { graph: graph.clone(), observed: observed.to_vec(), steps, let_go, workers: Mutex::new(Vec::new()) })
    }

    /// Runs one image: `inputs` by graph input, as many elements as the input's shape. Calls `observe` once for each
    /// observed value, in the order given to [`FloatEngine::new`]; the elements are row-major. Works on one thread; run
    /// several images at once for more.
    pub fn run(&self, inputs: &[&[f32]], observe: &mut dyn FnMut(ValueId, &[f32])) -> Result<(), StageError> {
        let mut held = Held::new();
        let mut worker = self.workers.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        self.hold_inputs(inputs, &mut held, &mut worker)?;
        let mut next = 0;
        self.show(&held, &mut next, observe);
        for (step, let_go) in self.steps.iter().zip(&self.let_go) {
            match step {
                Step::Nothing => {}
                Step::Segment(segment) => held.extend(segment.run(&held, &mut worker)?),
                Step::Direct(node, inputs, output) => {
                    let made = self.compute(node, inputs, *output, &held, &mut worker)?;
                    held.insert(*output, made);
                }
            }
            self.show(&held, &mut next, observe);
            for id in let_go {
                // Only what was taken from there goes back: rten brings buffers of its own with every run.
                if let Some(Elements::Made(buffer, _)) = held.remove(id) {
                    worker.spare.push(buffer);
                }
            }
        }
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        if next == self.observed.len() {
            Ok(())
        } else {
            Err(failed("an observed value is neither an input, a constant nor written by a node"))
        }
    }

    fn compute(
        &self,
        node: &DirectNode,
        inputs: &[ValueId],
        output: ValueId,
        held: &Held,
        worker: &mut Worker,
    ) -> Result<Elements, StageError> {
        let missing = || failed("a value between two steps is missing");
        let mut operands = Vec::with_capacity(inputs.len());
        for id in inputs {
            let constant = || self.graph.value(*id).constant.as_ref()?.as_f32();
            operands.push(match held.get(id) {
                Some(elements) => elements.row_major(),
                None => Cow::Borrowed(constant().ok_or_else(missing)?),
            });
        }
        let operands: Vec<&[f32]> = operands.iter().map(AsRef::as_ref).collect();
        let count = element_count(&self.graph.value(output).shape).ok_or_else(missing)?;
        let mut buffer = take_buffer(&mut worker.spare, count);
        node.run(&operands, &mut worker.scratch, &mut buffer[..count]);
        Ok(Elements::Made(buffer, count))
    }

    fn hold_inputs(&self, inputs: &[&[f32]], held: &mut Held, worker: &mut Worker) -> Result<(), StageError> {
        if inputs.len() != self.graph.inputs.len() {
            let (found, expected) = (inputs.len(), self.graph.inputs.len());
            return Err(failed(format!("{found} inputs are given; the network has {expected}")));
        }
        for (&id, &elements) in self.graph.inputs.iter().zip(inputs) {
            let value = self.graph.value(id);
            if element_count(&value.shape) != Some(elements.len()) {
                let (name, shape, found) = (&value.name, &value.shape, elements.len());
                return Err(failed(format!("the input `{name}` has the shape {shape:?}; {found} elements are given")));
            }
            let mut buffer = take_buffer(&mut worker.spare, elements.len());
            buffer[..elements.len()].copy_from_slice(elements);
            held.insert(id, Elements::Made(buffer, elements.len()));
        }
        Ok(())
    }

    /// Shows the observed values that are there, in order, from `next` on.
    fn show(&self, held: &Held, next: &mut usize, observe: &mut dyn FnMut(ValueId, &[f32])) {
        while let Some(&id) = self.observed.get(*next) {
            if let Some(elements) = held.get(&id) {
                observe(id, &elements.row_major());
            } else if let Some(elements) = self.graph.value(id).constant.as_ref().and_then(|tensor| tensor.as_f32()) {
                observe(id, elements);
            } else {
                return;
            }
            *next += 1;
        }
    }
}

/// A buffer of so many elements or more, whatever they are: the smallest spare one that has room, or a new one. It keeps its
/// length, so that nothing is written to it in vain.
fn take_buffer(spare: &mut Vec<Vec<f32>>, count: usize) -> Vec<f32> {
    let fitting = spare.iter().enumerate().filter(|(_, buffer)| buffer.len() >= count);
    if let Some((index, _)) = fitting.min_by_key(|(_, buffer)| buffer.len()) {
        return spare.swap_remove(index);
    }
    // Those that are there are too small: letting one go for this one keeps memory bounded.
    spare.pop();
    vec![0.0; count]
}

/// Places between nodes at which the graph is cut: the first is 0, the last `end`.
fn cuts(graph: &Graph, observed: &BTreeSet<ValueId>, end: usize) -> Vec<usize> {
    let mut cuts = vec![0];
    let mut bytes = 0_usize;
    for (place, node) in graph.nodes.iter().enumerate().take(end) {
        if observed.contains(&node.output) {
            bytes = bytes.saturating_add(element_count(&graph.value(node.output).shape).unwrap_or(0).saturating_mul(4));
        }
        let is_direct = DirectNode::is(graph, node);
        if is_direct && cuts.last() != Some(&place) {
            cuts.push(place);
        }
        if (is_direct || bytes > SEGMENT_BYTES) && place + 1 < end {
            cuts.push(place + 1);
            bytes = 0;
        }
    }
    if end > 0 {
        cuts.push(end);
    }
    cuts
}

/// Some nodes with their values alone.
struct Part {
    graph: Graph,
    /// What each value is in the whole graph.
    whole: Vec<ValueId>,
}

impl Part {
    fn of(graph: &Graph, mut nodes: Vec<Node>, inputs: Vec<ValueId>, outputs: Vec<ValueId>) -> Self {
        let used = nodes.iter().flat_map(|node| node.inputs.iter().chain([&node.output])).chain(&inputs);
        let used: BTreeSet<ValueId> = used.copied().collect();
        let whole: Vec<ValueId> = used.into_iter().collect();
        let own = |id: ValueId| ValueId(whole.binary_search(&id).unwrap_or(0) as u32);
        for node in &mut nodes {
            node.inputs.iter_mut().for_each(|input| *input = own(*input));
            node.output = own(node.output);
        }
        let values = whole.iter().map(|&id| graph.value(id).clone()).collect();
        let [inputs, outputs] = [inputs, outputs].map(|ids| ids.into_iter().map(own).collect());
        Self { graph: Graph { name: graph.name.clone(), values, nodes, inputs, outputs }, whole }
    }
}

impl Segment {
    fn new(graph: &Graph, nodes: std::ops::Range<usize>, outputs: Vec<ValueId>) -> Result<Self, StageError> {
        let nodes = graph.nodes[nodes].to_vec();
        let made: BTreeSet<ValueId> = nodes.iter().map(|node| node.output).collect();
        let read: BTreeSet<ValueId> = nodes.iter().flat_map(|node| &node.inputs).copied().collect();
        let is_outside = |id: &&ValueId| !made.contains(id) && graph.value(**id).constant.is_none();
        let inputs: Vec<ValueId> = read.iter().filter(is_outside).copied().collect();
        let part = Part::of(graph, nodes, inputs, outputs);
        let mut file = export_proto(&part.graph);
        // The engine looks nodes and values up in one table, where a node called as a value would hide it.
        for node in file.graph.iter_mut().flat_map(|graph| &mut graph.node) {
            node.name.clear();
        }
        let mut options = ModelOptions::with_all_ops();
        options.enable_optimization(false).prepack_weights(true);
        let model = options.load(file.encode_to_vec()).map_err(|error| failed(format!("the float engine: {error}")))?;
        let find = |ids: &[ValueId]| -> Result<Vec<(ValueId, EngineId)>, StageError> {
            let pair = |&id: &ValueId| {
                let value = part.graph.value(id);
                Ok((part.whole[id.index()], model.node_id(&value.name)?))
            };
            let pairs: Result<_, rten::RunError> = ids.iter().map(pair).collect();
            pairs.map_err(|error| failed(format!("the float engine: {error}")))
        };
        let (inputs, outputs) = (find(&part.graph.inputs)?, find(&part.graph.outputs)?);
        let inputs = inputs.into_iter().map(|(id, node)| (id, node, graph.value(id).shape.clone())).collect();
        Ok(Self { model, inputs, outputs })
    }

    fn run(&self, held: &Held, worker: &mut Worker) -> Result<Vec<(ValueId, Elements)>, StageError> {
        let pool = worker.pool.get_or_insert_with(|| Arc::new(ThreadPool::with_num_threads(1)));
        let work = || -> Result<Vec<EngineValue>, StageError> {
            let mut inputs = Vec::with_capacity(self.inputs.len());
            for (id, node, shape) in &self.inputs {
                let view = match held.get(id) {
                    Some(Elements::Made(buffer, count)) => {
                        TensorView::from_data(shape.as_slice(), buffer.get(..*count).unwrap_or_default())
                    }
                    Some(Elements::Brought(tensor)) => tensor.view(),
                    None => return Err(failed("a value between two segments is missing")),
                };
                inputs.push((*node, ValueOrView::from(view)));
            }
            let outputs: Vec<EngineId> = self.outputs.iter().map(|&(_, node)| node).collect();
            let options = RunOptions::default().with_thread_pool(Some(Arc::clone(pool)));
            self.model
                .run(inputs, &outputs, Some(options))
                .map_err(|error| failed(format!("the float engine: {error}")))
        };
        // A worker of rayon that waits for another pool starts its next job meanwhile, so that all images would end up
        // on one stack; a plain thread just waits.
        let values = if rayon::current_thread_index().is_some() {
            let joined = std::thread::scope(|scope| scope.spawn(work).join());
            joined.map_err(|_| failed("the float engine stopped unexpectedly"))??
        } else {
            work()?
        };
        let mut made = Vec::with_capacity(values.len());
        for (&(id, _), value) in self.outputs.iter().zip(values) {
            let tensor = value.into_tensor::<f32>().ok_or_else(|| failed("an activation is not of floats"))?;
            made.push((id, Elements::Brought(tensor)));
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;
    use crate::compiler::onnx::proto::AttributeProto;
    use crate::compiler::onnx::sample::Sample;

    /// Three activations of 4 MiB each, so that the graph is cut.
    fn large() -> Graph {
        let sample = Sample::new(13)
            .input("x", &[1, 4, 512, 512])
            .node("Relu", &["x"], &["a"], &[])
            .node("Neg", &["a"], &["b"], &[])
            .node("Add", &["b", "x"], &["c"], &[])
            .node("Abs", &["c"], &["d"], &[])
            .node("Add", &["d", "a"], &["y"], &[])
            .output("y");
        sample.import().expect("imported")
    }

    #[test]
    fn values_are_shown_once_and_in_the_order_asked_for() {
        let graph = large();
        let id =
            |name: &str| ValueId(graph.values.iter().position(|value| value.name == name).expect("a value") as u32);
        let input: Vec<f32> = (0..4 * 512 * 512).map(|place| (place % 11) as f32 - 5.0).collect();
        let orders = [vec!["a", "b", "c", "d", "y"], vec!["y", "x", "a"], vec!["d", "a", "a"], vec![]];
        for order in orders {
            let observed: Vec<ValueId> = order.iter().map(|name| id(name)).collect();
            let engine = FloatEngine::new(&graph, &observed).expect("loaded");
            let mut seen = Vec::new();
            engine.run(&[&input], &mut |value, elements| seen.push((value, elements[7], elements.len()))).expect("run");
            // x[7] is 2: relu 2, negated −2, sum 0, absolute 0, sum 2.
            let element = |name: &str| match name {
                "x" | "a" | "y" => 2.0,
                "b" => -2.0,
                _ => 0.0,
            };
            let expected: Vec<_> = order.iter().map(|name| (id(name), element(name), input.len())).collect();
            assert_eq!(seen, expected, "{order:?}");
        }
    }

    #[test]
    fn what_is_observed_cuts_the_graph() {
        let sample = Sample::new(13)
            .input("x", &[1, 4, 512, 512])
            .node("Erf", &["x"], &["a"], &[])
            .node("Tanh", &["a"], &["b"], &[])
            .node("Tanh", &["b"], &["c"], &[])
            .node("Erf", &["c"], &["y"], &[])
            .output("y");
        let graph = sample.import().expect("imported");
        let all: Vec<ValueId> = graph.nodes.iter().map(|node| node.output).collect();
        assert!(FloatEngine::new(&graph, &all).expect("loaded").steps.len() > 1);
        assert_eq!(FloatEngine::new(&graph, &graph.outputs).expect("loaded").steps.len(), 1);
    }

    /// What is computed here against the same by rten: a last node that is not makes all one segment of its own.
    #[test]
    fn nodes_computed_here_are_what_rten_makes_of_them() {
        let numbers = |count: usize, seed: usize| (0..count).map(|at| number(at + seed)).collect::<Vec<f32>>();
        // Strides, pads, dilations, group, outputs, kernel.
        let cases = [
            ([1, 1], [0; 4], [1, 1], 1, 12, [1, 1]),
            ([1, 1], [1; 4], [1, 1], 1, 9, [3, 3]),
            ([2, 2], [1, 0, 2, 1], [1, 1], 2, 10, [3, 2]),
            ([2, 1], [2; 4], [1, 2], 6, 6, [3, 3]),
            ([3, 2], [0, 1, 0, 1], [2, 1], 6, 12, [2, 4]),
        ];
        for (strides, pads, dilations, group, outputs, kernel) in cases {
            let list =
                |name: &str, values: &[usize]| AttributeProto::integers(name, values.iter().map(|&value| value as i64));
            let attributes = [
                list("strides", &strides),
                list("pads", &pads),
                list("dilations", &dilations),
                AttributeProto::int("group", group as i64),
            ];
            let weights = [outputs, 6 / group, kernel[0], kernel[1]];
            let sample = Sample::new(13)
                .input("x", &[1, 6, 19, 37])
                .floats("w", &weights, &numbers(weights.iter().product(), 3))
                .floats("b", &[outputs], &numbers(outputs, 5))
                .node("Conv", &["x", "w", "b"], &["c"], &attributes)
                .node("Sigmoid", &["c"], &["s"], &[])
                .node("Mul", &["c", "s"], &["m"], &[])
                .node("Relu", &["m"], &["r"], &[])
                .node("Sub", &["r", "c"], &["y"], &[])
                .output("y");
            is_what_rten_makes(&sample.import().expect("imported"), 6 * 19 * 37);
        }
    }

    fn number(at: usize) -> f32 {
        ((at * 37 + at / 7 * 5) % 201) as f32 / 100.0 - 1.0
    }

    /// All nodes are computed here.
    fn is_what_rten_makes(graph: &Graph, elements: usize) {
        let engine = FloatEngine::new(graph, &graph.outputs).expect("loaded");
        assert!(engine.steps.iter().all(|step| !matches!(step, Step::Segment(_))));
        let by_rten = Segment::new(graph, 0..graph.nodes.len(), graph.outputs.clone()).expect("loaded");
        let image: Vec<f32> = (0..elements).map(number).collect();
        let (mut held, mut worker) = (Held::new(), Worker::default());
        engine.hold_inputs(&[&image], &mut held, &mut worker).expect("it fits");
        let made = by_rten.run(&held, &mut worker).expect("run").remove(0).1;
        let expected = made.row_major();
        engine
            .run(&[&image], &mut |_, found| {
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(expected.iter()) {
                    let apart = (found - expected).abs();
                    let is_same = found.to_bits() == expected.to_bits();
                    assert!(is_same || apart <= 1e-5 * expected.abs().max(1.0), "{found}, expected {expected}");
                }
            })
            .expect("run");
    }

    #[test]
    fn other_nodes_computed_here_are_what_rten_makes_of_them() {
        let list = |name: &str, values: &[i64]| AttributeProto::integers(name, values.iter().copied());
        let text = AttributeProto::text;
        let cases: [(&str, &[&str], Vec<AttributeProto>); 14] = [
            (
                "MaxPool",
                &["x"],
                vec![list("kernel_shape", &[3, 2]), list("strides", &[2, 1]), list("pads", &[1, 0, 1, 1])],
            ),
            ("MaxPool", &["x"], vec![list("kernel_shape", &[2, 2]), list("strides", &[2, 2])]),
            (
                "AveragePool",
                &["x"],
                vec![list("kernel_shape", &[3, 3]), list("strides", &[1, 3]), list("pads", &[1; 4])],
            ),
            ("GlobalAveragePool", &["x"], vec![]),
            ("Transpose", &["x"], vec![list("perm", &[0, 2, 3, 1])]),
            ("Slice", &["x", "starts", "ends", "axes", "steps"], vec![]),
            ("Pad", &["x", "pads"], vec![]),
            ("Pad", &["x", "pads"], vec![text("mode", "reflect")]),
            ("Resize", &["x", "", "scales"], vec![text("mode", "linear")]),
            ("Resize", &["x", "", "scales"], vec![text("mode", "nearest"), text("nearest_mode", "floor")]),
            ("LeakyRelu", &["x"], vec![AttributeProto::float("alpha", 0.3)]),
            ("HardSigmoid", &["x"], vec![]),
            ("Mul", &["x", "channel"], vec![]),
            ("Div", &["row", "x"], vec![]),
        ];
        for (operator, inputs, attributes) in cases {
            let sample = Sample::new(13)
                .input("x", &[1, 6, 9, 13])
                .integers("starts", &[2], &[1, 12])
                .integers("ends", &[2], &[5, 0])
                .integers("axes", &[2], &[1, 3])
                .integers("steps", &[2], &[2, -3])
                .integers("pads", &[8], &[0, 0, 2, 1, 0, 0, 0, 3])
                .floats("scales", &[4], &[1.0, 1.0, 2.0, 1.5])
                .floats("channel", &[1, 6, 1, 1], &[0.5, 2.0, -1.0, 3.0, 0.1, 0.0])
                .floats("row", &[13], &(0..13).map(|at| 0.01 * at as f32 + 0.2).collect::<Vec<_>>())
                .node(operator, inputs, &["y"], &attributes)
                .output("y");
            is_what_rten_makes(&sample.import().expect("imported"), 6 * 9 * 13);
        }
        let dense = Sample::new(13)
            .input("x", &[1, 9])
            .floats("w", &[9, 4], &(0..36).map(number).collect::<Vec<_>>())
            .floats("b", &[4], &[0.5, -1.0, 2.0, 0.0])
            .node("Gemm", &["x", "w", "b"], &["y"], &[])
            .output("y");
        is_what_rten_makes(&dense.import().expect("imported"), 9);
    }

    #[test]
    fn images_run_at_once_give_the_same() {
        let graph = large();
        let engine = FloatEngine::new(&graph, &graph.outputs).expect("loaded");
        let image =
            |seed: usize| -> Vec<f32> { (0..4 * 512 * 512).map(|at| ((at + seed) % 13) as f32 - 6.0).collect() };
        let sum = |seed: usize| {
            let mut sum = 0.0_f64;
            let mut add = |_, elements: &[f32]| sum = elements.iter().map(|&element| f64::from(element)).sum();
            engine.run(&[&image(seed)], &mut add).expect("run");
            sum
        };
        let alone: Vec<f64> = (0..8).map(sum).collect();
        let together: Vec<f64> = (0..8).into_par_iter().map(sum).collect();
        assert_eq!(alone, together);
    }

    #[test]
    fn inputs_that_do_not_fit_are_refused() {
        let graph = large();
        let engine = FloatEngine::new(&graph, &graph.outputs).expect("loaded");
        assert!(engine.run(&[], &mut |_, _| {}).is_err());
        let message = engine.run(&[&[1.0]], &mut |_, _| {}).expect_err("one element").to_string();
        assert!(message.contains("`x` has the shape [1, 4, 512, 512]; 1 elements are given"), "{message}");
    }
}
