//! Executes the nodes of a quantized graph one after another.

use std::borrow::Cow;

use crate::compiler::error::StageError;
use crate::compiler::error::Status;
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
}

fn failed(message: String) -> StageError {
    StageError::new(Status::QtoolsError, message)
}

impl Executor<'static> {
    /// As [`Executor::new`], and keeps the graph.
    pub fn owning(graph: QuantizedGraph) -> Result<Self, StageError> {
        Self::prepare(Cow::Owned(graph))
    }
}

impl<'a> Executor<'a> {
    /// Verifies the graph and prepares its weights and tables.
    pub fn new(graph: &'a QuantizedGraph) -> Result<Self, StageError> {
        Self::prepare(Cow::Borrowed(graph))
    }

    fn prepare(graph: Cow<'a, QuantizedGraph>) -> Result<Self, StageError> {
        graph.verify().map_err(|(node, message)| {
            let error = failed(message);
            match node {
                Some(node) => error.node(node),
                None => error,
            }
        })?;
        let kernels = graph.nodes.iter().map(|node| Kernel::of(&graph, node)).collect();
        let last_uses = graph.last_uses();
        Ok(Executor { graph, kernels, last_uses })
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
            quantized.push(input.iter().map(|&x| value.encoding.quantize(x)).collect());
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
        let mut values: Vec<Option<Vec<i8>>> = vec![None; graph.values.len()];
        for (id, input) in graph.inputs.iter().zip(inputs) {
            values[id.index()] = Some(input.clone());
        }
        for ((node, kernel), last_uses) in graph.nodes.iter().zip(&self.kernels).zip(&self.last_uses) {
            let mut output = vec![0_i8; graph.value(node.output).len()];
            let operands: Vec<&[i8]> = node
                .inputs
                .iter()
                .map(|&id| match (&values[id.index()], &graph.value(id).constant) {
                    (Some(value), _) | (None, Some(value)) => value.as_slice(),
                    (None, None) => &[],
                })
                .collect();
            kernel.run(&operands, &mut output);
            observe(node.output, &output);
            values[node.output.index()] = Some(output);
            for last in last_uses {
                values[last.index()] = None;
            }
        }
        Ok(graph.outputs.iter().map(|output| values[output.index()].clone().unwrap_or_default()).collect())
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
