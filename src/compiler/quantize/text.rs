//! The quantized graph as text for people: one line a node, stable.

use std::fmt::Write;

use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::function_name;

impl QuantizedGraph {
    /// Inputs, constants, nodes and outputs, each with shape and encoding.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("graph `{}`\n", self.name);
        for &input in &self.inputs {
            line(&mut text, &format!("  input  {}", self.typed(input)));
        }
        for value in self.values.iter().filter(|value| value.constant.is_some()) {
            let (scale, zero) = (value.encoding.scale, value.encoding.zero_point);
            line(&mut text, &format!("  const  {} {:?} s={scale:e} z={zero}", value.name, value.shape));
        }
        for node in &self.nodes {
            line(&mut text, &format!("  {}", self.described(node)));
        }
        for &output in &self.outputs {
            line(&mut text, &format!("  output {}", self.typed(output)));
        }
        text
    }

    fn typed(&self, id: TensorId) -> String {
        let value = self.value(id);
        if !value.channels.is_empty() {
            return format!("{} {:?} with {} encodings", value.name, value.shape, value.channels.len());
        }
        format!("{} {:?} s={:e} z={}", value.name, value.shape, value.encoding.scale, value.encoding.zero_point)
    }

    fn described(&self, node: &QuantizedNode) -> String {
        let inputs: Vec<&str> = node.inputs.iter().map(|&id| self.value(id).name.as_str()).collect();
        let mut text = format!("{} = {}({})", self.typed(node.output), node.operator.name(), inputs.join(", "));
        if let Some(weights) = node.operator.weights() {
            let _ = write!(text, " weights={:?}", weights.shape);
        }
        if let Some(activation) = node.activation {
            let _ = write!(text, " then {} in {:?}", function_name(activation), node.clamp);
        }
        if !node.operator.is_integer() {
            text.push_str(" in float");
        }
        text
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
