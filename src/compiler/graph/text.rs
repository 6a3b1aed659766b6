//! The graph as stable text, for dumps, tests and people: values renumbered in order of appearance, constants by the
//! digest of their contents.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::base::Digest;
use crate::compiler::graph::Data;
use crate::compiler::graph::Graph;
use crate::compiler::graph::Tensor;
use crate::compiler::graph::ValueId;

impl Graph {
    /// One line an input, node and output. Ids do not depend on how the graph came to be, only on what it is.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("graph `{}`\n", self.name);
        let mut numbers: BTreeMap<ValueId, usize> = BTreeMap::new();
        for &input in &self.inputs {
            let number = numbers.len();
            numbers.insert(input, number);
            let value = self.value(input);
            let _ = writeln!(text, "input %{number} `{}` {:?}", value.name, value.shape);
        }
        for node in &self.nodes {
            let inputs: Vec<String> = node.inputs.iter().map(|&input| self.operand(input, &numbers)).collect();
            let number = numbers.len();
            numbers.insert(node.output, number);
            let value = self.value(node.output);
            let (name, shape) = (&value.name, &value.shape);
            let _ = writeln!(text, "%{number} `{name}` {shape:?} = {} ({})", node.operator, inputs.join(", "));
        }
        for output in &self.outputs {
            let _ = writeln!(text, "output {} `{}`", self.operand(*output, &numbers), self.value(*output).name);
        }
        text
    }

    fn operand(&self, id: ValueId, numbers: &BTreeMap<ValueId, usize>) -> String {
        match (&self.value(id).constant, numbers.get(&id)) {
            (Some(constant), _) => describe(constant),
            (None, Some(number)) => format!("%{number}"),
            (None, None) => format!("`{}`", self.value(id).name),
        }
    }
}

/// Shape and contents: up to four values are written out.
fn describe(tensor: &Tensor) -> String {
    let shape = tensor.shape();
    match tensor.data() {
        Data::F32(values) if values.len() <= 4 => format!("{shape:?}{values:?}"),
        Data::I64(values) if values.len() <= 4 => format!("{shape:?}{values:?}"),
        Data::F32(values) => digest(shape, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>()),
        Data::I64(values) => digest(shape, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>()),
    }
}

fn digest(shape: &[usize], bytes: &[u8]) -> String {
    format!("{shape:?}#{}", Digest::of(bytes).short())
}
