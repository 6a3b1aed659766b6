//! The operations, their broadcasting and export.

use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;

/// An element-wise function of two inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Arithmetic {
    /// a + b
    Add,
    /// a − b
    Subtract,
    /// a · b
    Multiply,
    /// a / b
    Divide,
}

impl Arithmetic {
    /// The operation in one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Subtract => "subtract",
            Self::Multiply => "multiply",
            Self::Divide => "divide",
        }
    }

    /// The operation on two floats.
    #[must_use]
    pub fn apply(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
        }
    }

    /// The operation on two integers (division rounds towards zero, as ONNX does); `None` on overflow or division by 0.
    #[must_use]
    pub fn apply_integer(self, a: i64, b: i64) -> Option<i64> {
        match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
            Self::Multiply => a.checked_mul(b),
            Self::Divide => a.checked_div(b),
        }
    }

    /// The shape that both inputs are broadcast to (ONNX "Multidirectional Broadcasting"), or which axis does not fit.
    pub fn output_shape(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
        let rank = a.len().max(b.len());
        let dimension = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |at| shape[at]);
        (0..rank)
            .map(|axis| match (dimension(a, axis), dimension(b, axis)) {
                (a, b) if a == b => Ok(a),
                (1, other) | (other, 1) => Ok(other),
                _ => Err(format!("the shapes {a:?} and {b:?} cannot be broadcast to each other")),
            })
            .collect()
    }

    pub(crate) fn export(self, node: &ExportedNode<'_>, writer: &mut Writer) {
        let operator = match self {
            Self::Add => "Add",
            Self::Subtract => "Sub",
            Self::Multiply => "Mul",
            Self::Divide => "Div",
        };
        writer.node(operator, node, &[], vec![]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_both_ways() {
        assert_eq!(Arithmetic::output_shape(&[1, 3, 4, 4], &[3, 1, 1]), Ok(vec![1, 3, 4, 4]));
        assert_eq!(Arithmetic::output_shape(&[4, 1], &[1, 5]), Ok(vec![4, 5]));
        assert_eq!(Arithmetic::output_shape(&[], &[2]), Ok(vec![2]));
        assert!(Arithmetic::output_shape(&[3], &[4]).is_err());
    }

    #[test]
    fn integers_never_wrap() {
        assert_eq!(Arithmetic::Divide.apply_integer(-7, 2), Some(-3));
        assert_eq!(Arithmetic::Divide.apply_integer(1, 0), None);
        assert_eq!(Arithmetic::Multiply.apply_integer(1 << 62, 4), None);
    }
}
