//! Executes a quantized graph node by node for several images at once, so that a node can be changed before it runs.

use std::sync::Arc;

use rayon::prelude::*;

use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::operators::convolution::integer::Scratch;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::TensorId;
use crate::compiler::reference::kernel::Kernel;

/// The int8 values of several images, as far as nodes have run.
pub struct Stepper {
    /// By image, by value.
    values: Vec<Vec<Option<Vec<i8>>>>,
    /// By node: the values that nobody reads after it.
    last_uses: Vec<Vec<TensorId>>,
    pool: rayon::ThreadPool,
}

impl Stepper {
    /// Begins with the images' int8 inputs.
    pub fn new(graph: &QuantizedGraph, images: &[Arc<Vec<Vec<i8>>>], threads: usize) -> Result<Self, StageError> {
        let failed = |message: String| StageError::new(Status::QtoolsError, message);
        graph.verify().map_err(|(_, message)| failed(message))?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
        let pool = pool.map_err(|error| failed(format!("cannot start {threads} threads: {error}")))?;
        let mut values = Vec::with_capacity(images.len());
        for image in images {
            let mut own: Vec<Option<Vec<i8>>> = graph.values.iter().map(|value| value.constant.clone()).collect();
            for (id, input) in graph.inputs.iter().zip(image.iter()) {
                own[id.index()] = Some(input.clone());
            }
            values.push(own);
        }
        Ok(Self { values, last_uses: graph.last_uses(), pool })
    }

    /// What `look` makes of a value of each image, in the order of images.
    pub fn each<T: Send>(&self, id: TensorId, look: impl Fn(&[i8]) -> T + Sync) -> Vec<T> {
        let of = |own: &Vec<Option<Vec<i8>>>| look(own[id.index()].as_deref().unwrap_or_default());
        self.pool.install(|| self.values.par_iter().map(of).collect())
    }

    /// Forgets what nobody reads after a node.
    pub fn leave(&mut self, index: usize) {
        for own in &mut self.values {
            for last in &self.last_uses[index] {
                own[last.index()] = None;
            }
        }
    }

    /// Runs one node of the graph, which may have been changed before, for every image; it may be run again until it is
    /// [left](Self::leave).
    pub fn run(&mut self, graph: &QuantizedGraph, index: usize) {
        let node = &graph.nodes[index];
        let kernel = Kernel::of(graph, node);
        let (pool, values) = (&self.pool, &mut self.values);
        pool.install(|| {
            values.par_iter_mut().for_each(|own| {
                let mut output = vec![0_i8; graph.value(node.output).len()];
                let operands: Vec<&[i8]> =
                    node.inputs.iter().map(|id| own[id.index()].as_deref().unwrap_or_default()).collect();
                kernel.run(&operands, &mut output, &mut Scratch::default());
                own[node.output.index()] = Some(output);
            });
        });
    }
}
