//! Executes a quantized graph node by node for several images at once, so that a node can be changed before it runs.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::operators::convolution::integer::Scratch;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::TensorId;
use crate::compiler::reference::Executor;
use crate::compiler::reference::kernel::Kernel;

/// The int8 values of several images, as far as nodes have run.
pub struct Stepper<'a> {
    executor: &'a Executor<'a>,
    /// By image, by value.
    values: Vec<Own>,
    pool: rayon::ThreadPool,
}

/// One image's.
struct Own {
    values: Vec<Option<Vec<i8>>>,
    scratch: Scratch,
    /// Buffers of values that nobody reads any more.
    spare: Vec<Vec<i8>>,
}

impl<'a> Stepper<'a> {
    /// Begins with the images' int8 inputs.
    pub fn new(executor: &'a Executor<'a>, images: &[Arc<Vec<Vec<i8>>>], threads: usize) -> Result<Self, StageError> {
        let failed = |message: String| StageError::new(Status::QtoolsError, message);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
        let pool = pool.map_err(|error| failed(format!("cannot start {threads} threads: {error}")))?;
        let graph = executor.graph();
        let mut values = Vec::with_capacity(images.len());
        for image in images {
            let mut own: Vec<Option<Vec<i8>>> = graph.values.iter().map(|value| value.constant.clone()).collect();
            for (id, input) in graph.inputs.iter().zip(image.iter()) {
                own[id.index()] = Some(input.clone());
            }
            values.push(Own { values: own, scratch: Scratch::default(), spare: Vec::new() });
        }
        Ok(Self { executor, values, pool })
    }

    /// What `look` makes of a value of each image, in the order of images.
    pub fn each<T: Send>(&self, id: TensorId, look: impl Fn(&[i8]) -> T + Sync) -> Vec<T> {
        let of = |own: &Own| look(own.values[id.index()].as_deref().unwrap_or_default());
        self.pool.install(|| self.values.par_iter().map(of).collect())
    }

    /// Runs nodes for every image, and forgets what nobody reads after them; but what the last one reads and writes is kept
    /// until others run.
    pub fn run(&mut self, nodes: Range<usize>) {
        let (executor, values) = (self.executor, &mut self.values);
        let work = |own: &mut Own| {
            for index in nodes.clone() {
                if let Some(before) = index.checked_sub(1) {
                    for last in executor.last_uses(before) {
                        own.spare.extend(own.values[last.index()].take());
                    }
                }
                own.run(executor.graph(), index, executor.kernel(index));
            }
        };
        self.pool.install(|| values.par_iter_mut().for_each(work));
    }

    /// Runs the last node again as another graph has it.
    pub fn run_again(&mut self, graph: &QuantizedGraph, index: usize) {
        let kernel = Kernel::of(graph, &graph.nodes[index]);
        let (pool, values) = (&self.pool, &mut self.values);
        pool.install(|| values.par_iter_mut().for_each(|own| own.run(graph, index, &kernel)));
    }
}

impl Own {
    fn run(&mut self, graph: &QuantizedGraph, index: usize, kernel: &Kernel) {
        let node = &graph.nodes[index];
        let mut output = self.values[node.output.index()].take().or_else(|| self.spare.pop()).unwrap_or_default();
        output.resize(graph.value(node.output).len(), 0);
        let operands: Vec<&[i8]> =
            node.inputs.iter().map(|id| self.values[id.index()].as_deref().unwrap_or_default()).collect();
        kernel.run(&operands, &mut output, &mut self.scratch);
        self.values[node.output.index()] = Some(output);
    }
}
