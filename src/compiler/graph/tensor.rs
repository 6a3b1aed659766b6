//! Constant tensors: weights, and the integers that old exporters compute shapes with.

use std::sync::Arc;

/// The values of a tensor, row-major. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// 32-bit floats (float16, bfloat16 and float64 of a file are converted on import).
    F32(Arc<[f32]>),
    /// Integers and booleans of any width, widened.
    I64(Arc<[i64]>),
}

/// Elements that one tensor may have: 2²⁸, a gibibyte of 32-bit floats. More than any real activation, and little enough
/// that a small file cannot ask for all memory. Import and the check of a quantized graph refuse what is larger.
pub const ELEMENT_LIMIT: usize = 1 << 28;

/// The element type of a [`Tensor`] or of a value between nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataType {
    /// 32-bit float.
    F32,
    /// Integer or boolean, widened to 64 bits.
    I64,
}

/// A constant tensor: a shape and as many values as the shape's product. A scalar has the empty shape. Only one made by
/// [`Tensor::unread`] has fewer.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Data,
}

/// The number of elements of a shape, or `None` when it does not fit `usize`.
#[must_use]
pub fn element_count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &dimension| product.checked_mul(dimension))
}

/// The distance between neighbours along each axis of a row-major tensor. One that does not fit `usize`, which only a
/// tensor without elements can have, is the largest that does.
#[must_use]
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}

/// The distance between neighbours along each axis of `target` in a tensor of `shape` that broadcasts to it; 0 where it
/// repeats.
#[must_use]
pub fn broadcast_strides(shape: &[usize], target: &[usize]) -> Vec<usize> {
    let own = strides(shape);
    let missing = target.len().saturating_sub(shape.len());
    (0..target.len())
        .map(|axis| match axis.checked_sub(missing) {
            Some(at) if shape[at] != 1 => own[at],
            _ => 0,
        })
        .collect()
}

impl Tensor {
    /// A tensor of floats; `None` when the number of values is not the shape's product.
    #[must_use]
    pub fn from_f32(shape: Vec<usize>, values: impl Into<Arc<[f32]>>) -> Option<Self> {
        let values = values.into();
        (element_count(&shape) == Some(values.len())).then_some(Self { shape, data: Data::F32(values) })
    }

    /// A tensor of integers; `None` when the number of values is not the shape's product.
    #[must_use]
    pub fn from_i64(shape: Vec<usize>, values: impl Into<Arc<[i64]>>) -> Option<Self> {
        let values = values.into();
        (element_count(&shape) == Some(values.len())).then_some(Self { shape, data: Data::I64(values) })
    }

    /// A tensor whose values stayed in the file: it has its shape and no values. Only the survey of a file makes these,
    /// and none of them gets into a graph that is compiled.
    #[must_use]
    pub fn unread(shape: Vec<usize>, data_type: DataType) -> Self {
        let data = match data_type {
            DataType::F32 => Data::F32(Vec::new().into()),
            DataType::I64 => Data::I64(Vec::new().into()),
        };
        Self { shape, data }
    }

    /// Whether the values stayed in the file.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.is_empty() && !self.shape.contains(&0)
    }

    /// The same values under another shape; `None` when the number of elements differs.
    #[must_use]
    pub fn reshaped(&self, shape: Vec<usize>) -> Option<Self> {
        (element_count(&shape) == Some(self.len())).then(|| Self { shape, data: self.data.clone() })
    }

    /// Dimensions, outermost first.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values.
    #[must_use]
    pub const fn data(&self) -> &Data {
        &self.data
    }

    /// The element type.
    #[must_use]
    pub const fn data_type(&self) -> DataType {
        match self.data {
            Data::F32(_) => DataType::F32,
            Data::I64(_) => DataType::I64,
        }
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.data {
            Data::F32(values) => values.len(),
            Data::I64(values) => values.len(),
        }
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values, where they are floats.
    #[must_use]
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.data {
            Data::F32(values) => Some(values),
            Data::I64(_) => None,
        }
    }

    /// The values, where they are integers.
    #[must_use]
    pub fn as_i64(&self) -> Option<&[i64]> {
        match &self.data {
            Data::I64(values) => Some(values),
            Data::F32(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_are_row_major_and_zero_where_a_tensor_repeats() {
        struct Case<'a>(&'a [usize], &'a [usize], &'a [usize], &'a [usize]);
        let cases = [
            Case(&[], &[], &[2, 3], &[0, 0]),
            Case(&[3], &[1], &[2, 3], &[0, 1]),
            Case(&[2, 3, 4], &[12, 4, 1], &[2, 3, 4], &[12, 4, 1]),
            Case(&[2, 1, 4], &[4, 4, 1], &[5, 2, 3, 4], &[0, 4, 0, 1]),
            Case(&[0, 1 << 40, 1 << 40], &[usize::MAX, 1 << 40, 1], &[], &[]),
        ];
        for Case(shape, expected, target, broadcast) in cases {
            assert_eq!(strides(shape), expected, "{shape:?}");
            assert_eq!(broadcast_strides(shape, target), broadcast, "{shape:?} as {target:?}");
        }
    }
}
