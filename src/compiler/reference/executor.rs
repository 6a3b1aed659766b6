//! Executes the nodes of a quantized graph one after another.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::compiler::calibrate::for_each_index;
use crate::compiler::calibrate::in_order;
use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::machine::vectorized;
use crate::compiler::operators::convolution::integer::Scratch;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::TensorId;
use crate::compiler::reference::kernel::Kernel;

/// A quantized graph with everything prepared that does not depend on the inputs. Runs may go on at the same time.
#[derive(Debug)]
pub struct Executor<'a> {
    graph: Cow<'a, QuantizedGraph>,
    kernels: Vec<Kernel>,
    /// For each node the values that nobody reads after it.
    last_uses: Vec<Vec<TensorId>>,
    buffers: Buffers,
}

/// What runs write to; kept between them, and shared by executors of one network under several encodings.
#[derive(Debug, Clone)]
pub struct Buffers {
    /// Threads that prepare a network.
    threads: usize,
    /// Each run takes one out of here, or makes one.
    workers: Arc<Mutex<Vec<Worker>>>,
}

/// What a run needs for itself.
#[derive(Debug, Default)]
struct Worker {
    scratch: Scratch,
    /// By value: the elements, as far as nodes have run.
    values: Vec<Option<Vec<i8>>>,
    /// Buffers of values that nobody reads any more.
    spare: Vec<Vec<i8>>,
}

impl Worker {
    /// A buffer of so many elements, whatever they are: the smallest spare one that has room, or a new one.
    fn buffer(&mut self, count: usize) -> Vec<i8> {
        let fitting = self.spare.iter().enumerate().filter(|(_, buffer)| buffer.capacity() >= count);
        let mut buffer = if let Some((index, _)) = fitting.min_by_key(|(_, buffer)| buffer.capacity()) {
            self.spare.swap_remove(index)
        } else {
            // Those that are there are too small: letting one go for this one keeps memory bounded.
            self.spare.pop();
            Vec::with_capacity(count)
        };
        buffer.resize(count, 0);
        buffer
    }
}

impl Buffers {
    /// For executors that are prepared on so many threads.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self { threads, workers: Arc::default() }
    }
}

fn failed(message: String) -> StageError {
    StageError::new(Status::QtoolsError, message)
}

impl Executor<'static> {
    /// As [`Executor::new`], and keeps the graph.
    pub fn owning(graph: QuantizedGraph) -> Result<Self, StageError> {
        Self::prepare(Cow::Owned(graph), Buffers::new(1))
    }
}

impl<'a> Executor<'a> {
    /// Verifies the graph and prepares its weights and tables.
    pub fn new(graph: &'a QuantizedGraph) -> Result<Self, StageError> {
        Self::sharing(graph, &Buffers::new(1))
    }

    /// As [`Executor::new`], with buffers that other executors use as well.
    pub fn sharing(graph: &'a QuantizedGraph, buffers: &Buffers) -> Result<Self, StageError> {
        Self::prepare(Cow::Borrowed(graph), buffers.clone())
    }

    fn prepare(graph: Cow<'a, QuantizedGraph>, buffers: Buffers) -> Result<Self, StageError> {
        let wrong = |(node, message): (Option<String>, String)| {
            let error = failed(message);
            match node {
                Some(node) => error.node(node),
                None => error,
            }
        };
        graph.verify_order().map_err(wrong)?;
        let kernels = for_each_index(graph.nodes.len(), buffers.threads, Vec::new, |own, place| {
            let node = &graph.nodes[place];
            graph.verify_node(node).map_err(wrong)?;
            own.push((place, Kernel::of(&graph, node)));
            Ok(())
        })?;
        let kernels = in_order(kernels);
        let last_uses = graph.last_uses();
        Ok(Executor { graph, kernels, last_uses, buffers })
    }

    pub(super) fn kernel(&self, node: usize) -> &Kernel {
        &self.kernels[node]
    }

    pub(super) fn last_uses(&self, node: usize) -> &[TensorId] {
        &self.last_uses[node]
    }

    /// The graph that is executed.
    #[must_use]
    pub fn graph(&self) -> &QuantizedGraph {
        &self.graph
    }

    /// Float inputs under the encodings of the network's inputs.
    pub fn quantize_inputs(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<i8>>, StageError> {
        if inputs.len() != self.graph.inputs.len() {
            let (expected, found) = (self.graph.inputs.len(), inputs.len());
            return Err(failed(format!("the network has {expected} inputs, found {found} tensors")));
        }
        let mut quantized = Vec::with_capacity(inputs.len());
        for (&id, input) in self.graph.inputs.iter().zip(inputs) {
            let value = self.graph.value(id);
            if input.len() != value.len() {
                let (name, expected, found) = (&value.name, value.len(), input.len());
                return Err(failed(format!("the input `{name}` has {expected} elements, found {found}")));
            }
            let (mut int8, encoding) = (vec![0; input.len()], value.encoding);
            let pairs = int8.iter_mut().zip(*input);
            vectorized(|| pairs.for_each(|(to, &x)| *to = encoding.quantize(x)));
            quantized.push(int8);
        }
        Ok(quantized)
    }

    /// One run on int8 inputs; `observe` sees every value that a node writes. Returns the int8 outputs.
    pub fn run_int8(
        &self,
        inputs: &[Vec<i8>],
        observe: &mut dyn FnMut(TensorId, &[i8]),
    ) -> Result<Vec<Vec<i8>>, StageError> {
        let graph = &*self.graph;
        let fits = inputs.len() == graph.inputs.len()
            && graph.inputs.iter().zip(inputs).all(|(&id, input)| graph.value(id).len() == input.len());
        if !fits {
            return Err(failed("the int8 inputs do not fit the network's inputs".to_owned()));
        }
        let mut worker = self.buffers.workers.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let mut values = std::mem::take(&mut worker.values);
        values.resize(graph.values.len(), None);
        for (id, input) in graph.inputs.iter().zip(inputs) {
            let mut own = worker.buffer(input.len());
            own.copy_from_slice(input);
            values[id.index()] = Some(own);
        }
        for ((node, kernel), last_uses) in graph.nodes.iter().zip(&self.kernels).zip(&self.last_uses) {
            let mut output = worker.buffer(graph.value(node.output).len());
            let operands: Vec<&[i8]> = node
                .inputs
                .iter()
                .map(|&id| match (&values[id.index()], &graph.value(id).constant) {
                    (Some(value), _) | (None, Some(value)) => value.as_slice(),
                    (None, None) => &[],
                })
                .collect();
            kernel.run(&operands, &mut output, &mut worker.scratch);
            observe(node.output, &output);
            values[node.output.index()] = Some(output);
            for last in last_uses {
                worker.spare.extend(values[last.index()].take());
            }
        }
        let outputs = graph.outputs.iter().map(|output| values[output.index()].clone().unwrap_or_default()).collect();
        worker.spare.extend(values.iter_mut().filter_map(Option::take));
        worker.values = values;
        self.buffers.workers.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        Ok(outputs)
    }

    /// One run on float inputs; outputs dequantized.
    pub fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, StageError> {
        let quantized = self.quantize_inputs(inputs)?;
        let outputs = self.run_int8(&quantized, &mut |_, _| ())?;
        Ok(self.dequantize_outputs(&outputs))
    }

    /// Int8 outputs as real numbers.
    #[must_use]
    pub fn dequantize_outputs(&self, outputs: &[Vec<i8>]) -> Vec<Vec<f32>> {
        let encodings = self.graph.outputs.iter().map(|&id| self.graph.value(id).encoding);
        outputs.iter().zip(encodings).map(|(output, e)| output.iter().map(|&q| e.dequantize(q)).collect()).collect()
    }
}
