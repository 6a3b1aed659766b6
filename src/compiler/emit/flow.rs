//! A quantized graph as a sequence of calls: which buffers hold its values, in which order of axes, and what each node becomes.

use std::collections::BTreeMap;

use crate::base::CancelToken;
use crate::compiler::emit::constants::Pool;
use crate::compiler::emit::constants::Span;
use crate::compiler::emit::fusion::Derived;
use crate::compiler::emit::fusion::derived;
use crate::compiler::emit::fusion::is_needed;
use crate::compiler::emit::fusion::is_replaced;
use crate::compiler::emit::order::Order;
use crate::compiler::emit::order::natural;
use crate::compiler::emit::order::row_major;
use crate::compiler::emit::order::significant;
use crate::compiler::emit::order::steps;
use crate::compiler::emit::step::Argument;
use crate::compiler::emit::step::Buffer;
use crate::compiler::emit::step::BufferId;
use crate::compiler::emit::step::Number;
use crate::compiler::emit::step::Step;
use crate::compiler::emit::step::Storage;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::contract::Saturation;

/// Axes that the kernels count over, once neighbours that lie together are joined.
const AXIS_LIMIT: usize = 8;

/// A value in memory.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) buffer: BufferId,
    pub(super) order: Order,
}

/// The calls of one node.
#[derive(Debug, Clone)]
pub(super) struct Work {
    /// The node; of copies into the caller's outputs a word.
    pub(super) name: String,
    /// What they compute, in words.
    pub(super) comment: String,
    /// The calls: a range of [`Flow::steps`].
    pub(super) steps: std::ops::Range<usize>,
}

/// A graph becoming calls.
pub(super) struct Flow<'a> {
    pub(super) graph: &'a QuantizedGraph,
    pub(super) pool: &'a mut Pool,
    pub(super) buffers: Vec<Buffer>,
    pub(super) steps: Vec<Step>,
    pub(super) works: Vec<Work>,
    /// The packed weights of each node that has some.
    pub(super) weights: Vec<Vec<Span>>,
    /// The bytes of each constant.
    pub(super) constants: BTreeMap<TensorId, Span>,
    places: Vec<Option<Place>>,
    derived: Vec<Option<Derived>>,
}

/// A problem with one node.
pub(super) type Problem = (Option<String>, String);

impl<'a> Flow<'a> {
    /// Of a verified graph; its constants go into the pool.
    pub(super) fn of(graph: &'a QuantizedGraph, pool: &'a mut Pool, cancel: &CancelToken) -> Result<Self, Problem> {
        let too_large = graph.values.iter().find(|value| i32::try_from(value.len()).is_err());
        if let Some(value) = too_large {
            return Err((None, format!("the value `{}` has {} elements, beyond 31 bits", value.name, value.len())));
        }
        let mut flow = Self {
            graph,
            pool,
            buffers: Vec::new(),
            steps: Vec::new(),
            works: Vec::new(),
            weights: vec![Vec::new(); graph.nodes.len()],
            constants: BTreeMap::new(),
            places: vec![None; graph.values.len()],
            derived: derived(graph),
        };
        for (number, &id) in graph.inputs.iter().enumerate() {
            let value = graph.value(id);
            let buffer = flow.buffer(Storage::Input(number), value.len(), None);
            flow.places[id.index()] = Some(Place { buffer, order: natural(value.shape.len()) });
        }
        for (index, value) in graph.values.iter().enumerate() {
            let Some(constant) = &value.constant else { continue };
            let span = flow.pool.int8(constant);
            let buffer = flow.buffer(Storage::Constant(span), constant.len(), None);
            flow.constants.insert(TensorId(index as u32), span);
            flow.places[index] = Some(Place { buffer, order: row_major(value.shape.len()) });
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            cancel.check().map_err(|cancelled| (None, cancelled.to_string()))?;
            let first = flow.steps.len();
            flow.node(index, node).map_err(|message| (Some(node.name.clone()), message))?;
            let comment = flow.comment(node);
            flow.works.push(Work { name: node.name.clone(), comment, steps: first..flow.steps.len() });
        }
        flow.outputs()?;
        if u32::try_from(flow.pool.bytes()).is_err() {
            return Err((None, format!("the constants have {} bytes, beyond 32 bits", flow.pool.bytes())));
        }
        Ok(flow)
    }

    fn comment(&self, node: &QuantizedNode) -> String {
        let shape = |&id: &TensorId| {
            let value = self.graph.value(id);
            let order = natural(value.shape.len());
            let sizes: Vec<String> = order.iter().map(|&axis| value.shape[axis].to_string()).collect();
            if sizes.is_empty() { "1".to_owned() } else { sizes.join("x") }
        };
        let inputs: Vec<String> = node.inputs.iter().map(shape).collect();
        let operator = match &node.operator {
            QuantizedOperator::Convolution { attributes, weights } => {
                let kernel: Vec<String> = weights.shape.iter().skip(2).map(ToString::to_string).collect();
                let group =
                    if attributes.group > 1 { format!(" in {} groups", attributes.group) } else { String::new() };
                format!("Conv {}{group}", kernel.join("x"))
            }
            operator => operator.name().to_owned(),
        };
        format!("{}: {operator}, {} -> {}", node.name, inputs.join(", "), shape(&node.output))
    }

    /// Results that are in no output of the caller yet.
    fn outputs(&mut self) -> Result<(), Problem> {
        let first = self.steps.len();
        for (number, &id) in self.graph.outputs.iter().enumerate() {
            let value = self.graph.value(id);
            let order = natural(value.shape.len());
            let place = self.place(id).map_err(|message| (None, message))?;
            let buffer = &mut self.buffers[place.buffer.0];
            let lies_right = significant(&value.shape, &place.order) == significant(&value.shape, &order);
            if buffer.storage == Storage::Workspace && lies_right && buffer.bytes == value.len() {
                buffer.storage = Storage::Output(number);
                continue;
            }
            let to = self.buffer(Storage::Output(number), value.len(), None);
            self.rearrange(&value.shape, &place, &Place { buffer: to, order }).map_err(|message| (None, message))?;
        }
        if self.steps.len() > first {
            let steps = first..self.steps.len();
            self.works.push(Work { name: "results".to_owned(), comment: "results".to_owned(), steps });
        }
        Ok(())
    }

    fn buffer(&mut self, storage: Storage, bytes: usize, holds: Option<(TensorId, bool)>) -> BufferId {
        self.buffers.push(Buffer { holds, storage, bytes });
        BufferId(self.buffers.len() - 1)
    }

    /// A buffer of constants.
    pub(super) fn constant(&mut self, span: Span) -> BufferId {
        self.buffer(Storage::Constant(span), span.length, None)
    }

    /// Where a value is.
    pub(super) fn place(&self, id: TensorId) -> Result<Place, String> {
        let place = self.places[id.index()].clone();
        place.ok_or_else(|| format!("`{}` is read before it is made", self.graph.value(id).name))
    }

    /// A value's buffer, its axes in this order; they are brought into it where they lie in another.
    pub(super) fn read(&mut self, id: TensorId, order: &[usize]) -> Result<BufferId, String> {
        let place = self.place(id)?;
        let shape = &self.graph.value(id).shape;
        if significant(shape, &place.order) == significant(shape, order) {
            return Ok(place.buffer);
        }
        let buffer = self.buffer(Storage::Workspace, self.graph.value(id).len(), Some((id, true)));
        self.rearrange(shape, &place, &Place { buffer, order: order.to_vec() })?;
        Ok(buffer)
    }

    /// As [`Flow::read`], in the order that kernels read.
    pub(super) fn read_natural(&mut self, id: TensorId) -> Result<BufferId, String> {
        self.read(id, &natural(self.graph.value(id).shape.len()))
    }

    /// A new buffer for a value, its axes in this order.
    pub(super) fn written(&mut self, id: TensorId, order: Order) -> BufferId {
        let buffer = self.buffer(Storage::Workspace, self.graph.value(id).len(), Some((id, false)));
        self.places[id.index()] = Some(Place { buffer, order });
        buffer
    }

    /// As [`Flow::written`], in the order that kernels write.
    pub(super) fn written_natural(&mut self, id: TensorId) -> BufferId {
        self.written(id, natural(self.graph.value(id).shape.len()))
    }

    /// A value whose bytes are those of another.
    pub(super) fn same_bytes(&mut self, id: TensorId, buffer: BufferId, order: Order) {
        self.places[id.index()] = Some(Place { buffer, order });
    }

    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    fn rearrange(&mut self, shape: &[usize], from: &Place, to: &Place) -> Result<(), String> {
        let (in_steps, out_steps) = (steps(shape, &from.order), steps(shape, &to.order));
        let axes = to.order.iter().map(|&axis| (shape[axis], in_steps[axis] as i64, out_steps[axis] as i64));
        self.moved(axes.collect(), [0, 0], None, (from.buffer, to.buffer))
    }

    /// Elements moved: for each axis, outermost first, its size and the steps between what is read and what is written; the first
    /// place read and the first written; a table that they go through.
    pub(super) fn moved(
        &mut self,
        axes: Vec<(usize, i64, i64)>,
        [in_start, out_start]: [i64; 2],
        table: Option<Span>,
        (from, to): (BufferId, BufferId),
    ) -> Result<(), String> {
        let mut joined: Vec<(usize, i64, i64)> = Vec::new();
        for (size, in_step, out_step) in axes.into_iter().filter(|axis| axis.0 != 1) {
            match joined.last_mut() {
                Some(last) if last.1 == in_step * size as i64 && last.2 == out_step * size as i64 => {
                    *last = (last.0 * size, in_step, out_step);
                }
                _ => joined.push((size, in_step, out_step)),
            }
        }
        if joined.is_empty() {
            joined.push((1, 1, 1));
        }
        let mut how = vec![joined.len() as i64, in_start, out_start];
        how.extend(joined.iter().map(|axis| axis.0 as i64));
        how.extend(joined.iter().map(|axis| axis.1));
        how.extend(joined.iter().map(|axis| axis.2));
        check_axes(joined.len())?;
        let table = table.map_or_else(|| Argument::Plain("0".to_owned()), Argument::Table);
        let arguments = vec![Argument::Numbers(how), table, Argument::Read(from), Argument::Written(to)];
        self.push(Step::new(&["move"], "move", arguments));
        Ok(())
    }

    fn node(&mut self, index: usize, node: &QuantizedNode) -> Result<(), String> {
        if let Some(Derived { source, table }) = self.derived[node.output.index()].clone() {
            if is_needed(self.graph, &self.derived, node.output) {
                self.look_up(source, node.output, &table[..])?;
            }
            return Ok(());
        }
        match &node.operator {
            QuantizedOperator::Convolution { attributes, weights } => {
                self.convolution(index, node, attributes, weights)
            }
            QuantizedOperator::TransposedConvolution { attributes, weights } => {
                self.transposed(index, node, attributes, weights)
            }
            QuantizedOperator::Dense { weights } => self.dense(index, node, weights),
            QuantizedOperator::MatrixProduct => self.product(node),
            QuantizedOperator::Arithmetic(operation) => self.arithmetic(node, *operation),
            QuantizedOperator::Function { table, .. } => self.look_up(node.inputs[0], node.output, table),
            QuantizedOperator::Pool(pool) => self.pool(node, pool),
            QuantizedOperator::GlobalPool(kind) => self.global_pool(node, *kind),
            QuantizedOperator::Requantize => self.requantize(node),
            QuantizedOperator::Reshape => self.reshape(node),
            QuantizedOperator::Transpose { permutation } => self.transpose(node, permutation),
            QuantizedOperator::Slice(slice) => self.slice(node, slice),
            QuantizedOperator::Pad { before, value, .. } => self.pad(node, before, *value),
            QuantizedOperator::Extension(extension) => self.extension(node, extension),
            QuantizedOperator::Concat { axis } => self.concat(node, *axis),
            QuantizedOperator::Resize(resize) => self.resize(node, resize),
            QuantizedOperator::InstanceNormalization { epsilon, scale, bias } => {
                self.instance_normalization(node, *epsilon, [scale, bias])
            }
            QuantizedOperator::Softmax { axis } => self.softmax(node, *axis),
        }
    }

    /// A value through a table, in place where nothing else needs what it is made of.
    fn look_up(&mut self, source: TensorId, to: TensorId, table: &[i8]) -> Result<(), String> {
        let table = self.pool.int8(table);
        let place = self.place(source)?;
        let is_own = self.buffers[place.buffer.0].storage == Storage::Workspace
            && !self.places.iter().enumerate().any(|(index, other)| {
                index != source.index() && other.as_ref().is_some_and(|other| other.buffer == place.buffer)
            });
        let buffer = if is_own && is_replaced(self.graph, &self.derived, source, to) {
            self.same_bytes(to, place.buffer, place.order);
            place.buffer
        } else {
            self.written(to, place.order)
        };
        let count = self.graph.value(to).len();
        let arguments = vec![
            Argument::Table(table),
            Argument::Read(place.buffer),
            Argument::Written(buffer),
            Argument::Plain(count.to_string()),
        ];
        self.push(Step::new(&["vector", "look_up"], "look_up", arguments));
        Ok(())
    }
}

/// Refuses more axes than kernels count over.
pub(super) fn check_axes(count: usize) -> Result<(), String> {
    if count <= AXIS_LIMIT {
        return Ok(());
    }
    Err(format!("it moves elements along {count} axes, the C code counts over at most {AXIS_LIMIT}"))
}

/// The bounds of steps and the zero point.
pub(super) fn bounds(saturation: Saturation) -> [Number; 3] {
    let (low, high, zero) = saturation.bounds();
    [Number::Real(low), Number::Real(high), Number::Integer(i64::from(zero))]
}
