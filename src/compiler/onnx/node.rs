//! One ONNX node as an importer sees it. Every attribute that an importer reads is remembered, so that one which nobody
//! read becomes an error: an attribute that is silently ignored is a silently wrong number.

use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::onnx::proto::NodeProto;
use crate::compiler::onnx::proto::TensorProto;
use crate::compiler::onnx::proto::attribute_type;

/// Why a node cannot be imported; the driver adds the node and the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// Says what to do.
    pub(crate) fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// Reads one node into the graph and says which value each of its outputs is; optional outputs at the end that have no
/// meaning here are left out.
pub(crate) type Importer = fn(&mut OnnxNode<'_>, &mut Builder) -> Result<Vec<ValueId>, Refusal>;

/// A node with its inputs resolved.
pub(crate) struct OnnxNode<'a> {
    proto: &'a NodeProto,
    opset: i64,
    inputs: Vec<Option<ValueId>>,
    read: Vec<bool>,
}

impl<'a> OnnxNode<'a> {
    pub(crate) fn new(proto: &'a NodeProto, opset: i64, inputs: Vec<Option<ValueId>>) -> Self {
        Self { proto, opset, inputs, read: vec![false; proto.attribute.len()] }
    }

    /// Version of the standard operators in the file.
    pub(crate) fn opset(&self) -> i64 {
        self.opset
    }

    /// Refuses a node of the experimental operators behind the opset that took them back, where the name means nothing.
    pub(crate) fn experimental(&self) -> Result<(), Refusal> {
        if self.opset < 10 {
            return Ok(());
        }
        Err(Refusal::new(format!("opset {} has no such operator; it was taken back at opset 10", self.opset)))
    }

    /// Inputs, absent ones in between included.
    pub(crate) fn input_count(&self) -> usize {
        self.inputs.len()
    }

    /// Outputs, unwanted ones included.
    pub(crate) fn output_count(&self) -> usize {
        self.proto.output.len()
    }

    /// An input that must be there.
    pub(crate) fn input(&self, place: usize) -> Result<ValueId, Refusal> {
        self.optional(place).ok_or_else(|| Refusal::new(format!("its input {place} is missing")))
    }

    /// An input that may be absent.
    pub(crate) fn optional(&self, place: usize) -> Option<ValueId> {
        self.inputs.get(place).copied().flatten()
    }

    fn attribute(&mut self, name: &str, kind: i32) -> Result<Option<&'a AttributeProto>, Refusal> {
        let Some(place) = self.proto.attribute.iter().position(|attribute| attribute.name == name) else {
            return Ok(None);
        };
        self.read[place] = true;
        let attribute = &self.proto.attribute[place];
        // Files of the first versions leave the type out.
        if attribute.r#type != kind && attribute.r#type != 0 {
            return Err(Refusal::new(format!("its attribute `{name}` has another type than the standard gives it")));
        }
        Ok(Some(attribute))
    }

    /// An integer attribute.
    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        Ok(self.attribute(name, attribute_type::INT)?.map(|attribute| attribute.i.unwrap_or(0)))
    }

    /// An attribute of integers.
    pub(crate) fn integers(&mut self, name: &str) -> Result<Option<Vec<i64>>, Refusal> {
        Ok(self.attribute(name, attribute_type::INTS)?.map(|attribute| attribute.ints.clone()))
    }

    /// A float attribute that must be finite: infinities and what is not a number have no place in a written network.
    pub(crate) fn float(&mut self, name: &str) -> Result<Option<f32>, Refusal> {
        match self.any_float(name)? {
            Some(value) if !value.is_finite() => {
                Err(Refusal::new(format!("its attribute `{name}` is {value}; expected a finite number")))
            }
            value => Ok(value),
        }
    }

    /// A float attribute that may be infinite, such as a bound.
    pub(crate) fn any_float(&mut self, name: &str) -> Result<Option<f32>, Refusal> {
        Ok(self.attribute(name, attribute_type::FLOAT)?.map(|attribute| attribute.f.unwrap_or(0.0)))
    }

    /// An attribute of floats.
    pub(crate) fn floats(&mut self, name: &str) -> Result<Option<Vec<f32>>, Refusal> {
        Ok(self.attribute(name, attribute_type::FLOATS)?.map(|attribute| attribute.floats.clone()))
    }

    /// A text attribute.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(attribute) = self.attribute(name, attribute_type::STRING)? else { return Ok(None) };
        let text = String::from_utf8(attribute.s.clone().unwrap_or_default());
        text.map(Some).map_err(|_| Refusal::new(format!("its attribute `{name}` is not text")))
    }

    /// A tensor attribute.
    pub(crate) fn tensor(&mut self, name: &str) -> Result<Option<&'a TensorProto>, Refusal> {
        Ok(self.attribute(name, attribute_type::TENSOR)?.and_then(|attribute| attribute.t.as_ref()))
    }

    /// Marks attributes that change nothing here as read.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        for (attribute, read) in self.proto.attribute.iter().zip(&mut self.read) {
            *read |= names.contains(&attribute.name.as_str());
        }
    }

    /// The attributes that nobody read.
    pub(crate) fn unread(&self) -> Vec<&'a str> {
        let pairs = self.proto.attribute.iter().zip(&self.read);
        pairs.filter(|(_, read)| !**read).map(|(attribute, _)| attribute.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_nobody_read_are_known() {
        let proto = NodeProto {
            attribute: vec![AttributeProto::int("a", 1), AttributeProto::float("b", 2.0), AttributeProto::int("c", 3)],
            ..NodeProto::default()
        };
        let mut node = OnnxNode::new(&proto, 17, vec![]);
        assert_eq!(node.integer("a"), Ok(Some(1)));
        assert_eq!(node.integer("none"), Ok(None));
        assert!(node.integer("b").is_err(), "a float was read as an integer");
        assert_eq!(node.unread(), ["c"]);
        node.ignore(&["c"]);
        assert!(node.unread().is_empty());
    }
}
