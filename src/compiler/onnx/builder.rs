//! The graph while it is being imported: shapes checked, constants folded within a budget, names unique.

use std::collections::BTreeSet;

use crate::compiler::graph::DataType;
use crate::compiler::graph::ELEMENT_LIMIT;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Node;
use crate::compiler::graph::Tensor;
use crate::compiler::graph::Value;
use crate::compiler::graph::ValueId;
use crate::compiler::graph::element_count;
use crate::compiler::onnx::Names;
use crate::compiler::onnx::NoExternalData;
use crate::compiler::onnx::Refusal;
use crate::compiler::onnx::fold;
use crate::compiler::onnx::proto::TensorProto;
use crate::compiler::onnx::tensors;
use crate::compiler::operators::Operator;
use crate::compiler::operators::Slice;

/// Bytes that all folded constants of any file may take.
const FOLDED_LEAST: usize = 128 << 20;

/// Bytes more for each byte of the file's own constants: weights may go through a dozen steps before they are used.
const FOLDED_FOR_EACH: usize = 16;

/// Elements of constants that all nodes of any file may read together, a constant counting once for each node, and how many more
/// for each element that the file holds. A constant of millions that thousands of nodes read would take hours.
const READ_LEAST: usize = 1 << 28;
const READ_FOR_EACH: usize = 64;

/// Bytes that all folded constants of the largest file may take.
const FOLDED_LIMIT: usize = 1 << 30;

/// Numbers (a shape, axes, pads) that an operator is told by one constant.
const NUMBER_LIMIT: usize = 1 << 12;

/// Axes that a tensor may have; ONNX models use up to 8.
pub(crate) const RANK_LIMIT: usize = 32;

/// The graph being built.
pub(crate) struct Builder {
    /// What there is so far.
    pub(crate) graph: Graph,
    /// The name of the node being imported.
    pub(super) label: String,
    /// All names of the file and all given so far.
    names: Names,
    node_names: Names,
    folded: usize,
    folded_limit: usize,
    read: usize,
    read_limit: usize,
    /// Whether large constants stayed in the file.
    pub(super) is_skimmed: bool,
}

/// Refuses a shape that no real network has, before anything is allocated for it.
pub(super) fn check_size(shape: &[usize]) -> Result<usize, Refusal> {
    if shape.len() > RANK_LIMIT {
        let rank = shape.len();
        return Err(Refusal::new(format!("a shape has {rank} dimensions; at most {RANK_LIMIT} are supported")));
    }
    let count = element_count(shape).filter(|&count| count <= ELEMENT_LIMIT);
    let largest = shape.iter().all(|&dimension| dimension <= ELEMENT_LIMIT);
    count.filter(|_| largest).ok_or_else(|| {
        Refusal::new(format!("the shape {shape:?} is too large; at most {ELEMENT_LIMIT} elements are supported"))
    })
}

/// Bytes of the elements of a constant.
fn bytes_of(count: usize, data_type: DataType) -> usize {
    count.saturating_mul(match data_type {
        DataType::F32 => 4,
        DataType::I64 => 8,
    })
}

impl Builder {
    /// An empty graph; `names` are those of the file, which made-up names keep away from.
    pub(super) fn new(name: String, names: BTreeSet<String>) -> Self {
        let graph = Graph { name, ..Graph::default() };
        Self {
            graph,
            label: String::new(),
            names: Names::new(names),
            node_names: Names::default(),
            folded: 0,
            folded_limit: FOLDED_LEAST,
            read: 0,
            read_limit: READ_LEAST,
            is_skimmed: false,
        }
    }

    /// A name that neither the file nor anything made up so far uses.
    pub(super) fn unused_name(&mut self, base: &str) -> String {
        self.names.unused(base)
    }

    /// The shape of a value.
    pub(crate) fn shape(&self, id: ValueId) -> &[usize] {
        &self.graph.value(id).shape
    }

    /// The contents of a value that is a constant.
    pub(crate) fn constant(&self, id: ValueId) -> Option<&Tensor> {
        self.graph.value(id).constant.as_ref()
    }

    /// The integers of a constant that the operator needs to know; `what` is its role in the message.
    pub(crate) fn integers(&self, id: ValueId, what: &str) -> Result<&[i64], Refusal> {
        match self.constant(id) {
            None => Err(Refusal::new(format!("its `{what}` is computed at run time; expected a constant"))),
            Some(tensor) if tensor.len() > NUMBER_LIMIT => Err(Refusal::new(format!(
                "its `{what}` has {} values; at most {NUMBER_LIMIT} are supported",
                tensor.len()
            ))),
            Some(tensor) => {
                tensor.as_i64().ok_or_else(|| Refusal::new(format!("its `{what}` has floats; expected integers")))
            }
        }
    }

    /// The floats of a constant that the operator needs to know; `what` is its role in the message.
    pub(crate) fn floats(&self, id: ValueId, what: &str) -> Result<&[f32], Refusal> {
        match self.constant(id) {
            None => Err(Refusal::new(format!("its `{what}` is computed at run time; expected a constant"))),
            Some(tensor) => {
                tensor.as_f32().ok_or_else(|| Refusal::new(format!("its `{what}` has integers; expected floats")))
            }
        }
    }

    /// A constant that a node holds.
    pub(super) fn tensor(&self, proto: &TensorProto) -> Result<Tensor, String> {
        if self.is_skimmed {
            tensors::read_skimmed(proto, &NoExternalData)
        } else {
            tensors::read(proto, &NoExternalData)
        }
    }

    /// Counts a constant that the file itself holds: the more there are, the more may be computed from them.
    pub(super) fn allow(&mut self, held: &Tensor) {
        let more = bytes_of(held.len(), held.data_type()).saturating_mul(FOLDED_FOR_EACH);
        self.folded_limit = self.folded_limit.saturating_add(more).min(FOLDED_LIMIT);
        self.read_limit = self.read_limit.saturating_add(held.len().saturating_mul(READ_FOR_EACH));
    }

    /// Counts the constants that a node reads, before it does.
    pub(super) fn reads(&mut self, inputs: &[Option<ValueId>]) -> Result<(), Refusal> {
        let elements = inputs.iter().flatten().filter_map(|&id| self.constant(id)).map(Tensor::len);
        let elements = elements.fold(0, usize::saturating_add);
        self.read = self.read.saturating_add(elements);
        if self.read <= self.read_limit {
            return Ok(());
        }
        let limit = self.read_limit;
        Err(Refusal::new(format!("the nodes up to here read constants of more than {limit} elements together")))
    }

    /// Takes the bytes of a constant of `count` elements off the budget, before it is computed.
    pub(super) fn reserve(&mut self, count: usize, data_type: DataType) -> Result<(), Refusal> {
        self.folded = self.folded.saturating_add(bytes_of(count, data_type));
        if self.folded <= self.folded_limit {
            Ok(())
        } else {
            let limit = self.folded_limit;
            Err(Refusal::new(format!("computing the file's constants needs more than {limit} bytes")))
        }
    }

    /// Adds a constant computed by an importer. `None` for a tensor that could not be made.
    pub(crate) fn constant_of(&mut self, tensor: Option<Tensor>, what: &str) -> Result<ValueId, Refusal> {
        let tensor = tensor.ok_or_else(|| Refusal::new(format!("its `{what}` cannot be computed")))?;
        self.reserve(tensor.len(), tensor.data_type())?;
        let base = format!("{}/{what}", self.label);
        let name = self.unused_name(&base);
        Ok(self.graph.add_constant(name, tensor))
    }

    /// Adds a node, or the constant that it computes where all its inputs are constants.
    pub(crate) fn push(
        &mut self,
        operator: Operator,
        inputs: Vec<ValueId>,
        shape: Vec<usize>,
    ) -> Result<ValueId, Refusal> {
        let count = check_size(&shape)?;
        let constants: Option<Vec<&Tensor>> = inputs.iter().map(|&id| self.constant(id)).collect();
        if let Some(constants) = &constants
            && constants.iter().any(|tensor| tensor.is_unread())
            && fold::is_folded(&operator)
        {
            let data_type = constants.first().map_or(DataType::F32, |tensor| tensor.data_type());
            let name = self.unused_name(&format!("{}/{}", self.label, operator.name()));
            return Ok(self.graph.add_constant(name, Tensor::unread(shape, data_type)));
        }
        // A reshape shares its input's elements.
        if constants.is_some() && operator != Operator::Reshape {
            let data_type = inputs.first().map_or(DataType::F32, |&id| self.graph.value(id).data_type);
            self.reserve(count, data_type)?;
        }
        let constants: Option<Vec<&Tensor>> = inputs.iter().map(|&id| self.constant(id)).collect();
        let folded = constants.and_then(|constants| fold::evaluate(&operator, &constants, &shape));
        if let Some(tensor) = folded {
            let name = self.unused_name(&format!("{}/{}", self.label, operator.name()));
            return Ok(self.graph.add_constant(name, tensor));
        }
        if let Some(integer) = inputs.iter().find(|&&id| self.graph.value(id).data_type == DataType::I64) {
            let name = &self.graph.value(*integer).name;
            return Err(Refusal::new(format!("it computes with the integers `{name}`, which only constants may be")));
        }
        if shape.contains(&0) {
            return Err(Refusal::new(format!("its output {shape:?} has no elements")));
        }
        let name = self.unused_name(&format!("{}/{}", self.label, operator.name()));
        let output = self.graph.add_value(Value { name, shape, data_type: DataType::F32, constant: None });
        let name = self.node_names.unused(&self.label);
        self.graph.nodes.push(Node { name, operator, inputs, output });
        Ok(output)
    }

    /// A constant repeated to a larger shape; `None` when the value is not a constant.
    pub(crate) fn expanded(&mut self, id: ValueId, shape: &[usize]) -> Result<Option<ValueId>, Refusal> {
        let count = check_size(shape)?;
        let Some(data_type) = self.constant(id).map(Tensor::data_type) else { return Ok(None) };
        self.reserve(count, data_type)?;
        let tensor = self.constant(id).and_then(|tensor| fold::repeated(tensor, shape));
        let tensor = tensor.ok_or_else(|| Refusal::new("its input cannot be repeated"))?;
        let name = self.unused_name(&format!("{}/expanded", self.label));
        Ok(Some(self.graph.add_constant(name, tensor)))
    }

    /// Entries `places` along `axis` of a constant, under `shape`, negative places counting from the back; `None` when the
    /// value is not a constant.
    pub(crate) fn gathered(
        &mut self,
        id: ValueId,
        axis: usize,
        places: &[i64],
        shape: &[usize],
    ) -> Result<Option<ValueId>, Refusal> {
        let count = check_size(shape)?;
        let Some(tensor) = self.constant(id).cloned() else { return Ok(None) };
        self.reserve(count, tensor.data_type())?;
        let gathered = fold::gathered(&tensor, axis, places, shape);
        let gathered = gathered.ok_or_else(|| Refusal::new("its `gathered` cannot be computed"))?;
        let name = self.unused_name(&format!("{}/gathered", self.label));
        Ok(Some(self.graph.add_constant(name, gathered)))
    }

    /// The part of a constant that has no elements, as exporters write for "no such dimensions"; `None` otherwise.
    pub(crate) fn empty_part(&mut self, id: ValueId, slice: &Slice) -> Result<Option<ValueId>, Refusal> {
        let Some(tensor) = self.constant(id).cloned() else { return Ok(None) };
        let mut shape = tensor.shape().to_vec();
        for (&axis, count) in slice.axes.iter().zip(slice.counts()) {
            shape[axis] = count;
        }
        if !shape.contains(&0) {
            return Ok(None);
        }
        self.constant_of(empty(&tensor, &shape), "empty").map(Some)
    }
}

/// A tensor of no elements with the element type of another.
fn empty(like: &Tensor, shape: &[usize]) -> Option<Tensor> {
    match like.data_type() {
        DataType::F32 => Tensor::from_f32(shape.to_vec(), Vec::<f32>::new()),
        DataType::I64 => Tensor::from_i64(shape.to_vec(), Vec::<i64>::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gathered_constant_takes_its_own_bytes_off_the_budget() {
        let mut builder = Builder::new("gather".to_owned(), BTreeSet::new());
        let tensor = Tensor::from_i64(vec![2, 3], vec![0, 1, 2, 3, 4, 5]);
        let id = builder.graph.add_constant("x", tensor.expect("six values"));
        let gathered = builder.gathered(id, 1, &[2, -3, 2, 2], &[2, 4]).expect("gathered").expect("a constant");
        assert_eq!(builder.integers(gathered, "gathered"), Ok(&[2, 0, 2, 2, 5, 3, 5, 5][..]));
        assert_eq!(builder.folded, 8 * 8);
        builder.folded = FOLDED_LEAST - 63;
        let message = builder.gathered(id, 1, &[0; 4], &[2, 4]).expect_err("64 bytes").message;
        assert!(message.contains("needs more than 134217728 bytes"), "{message}");
        let held = builder.constant(id).expect("a constant").clone();
        builder.allow(&held);
        assert!(builder.gathered(id, 1, &[0; 4], &[2, 4]).is_ok(), "a file with constants may compute more");
    }
}
