//! The matrix product of two computed tensors (ONNX `MatMul`), as attention has it: int8 in, exact int32 accumulators,
//! one requantization.

use crate::compiler::graph::broadcast_strides;
use crate::compiler::graph::element_count;
use crate::compiler::machine::COLUMNS;
use crate::compiler::machine::Left;
use crate::compiler::machine::Level;
use crate::compiler::machine::Panel;
use crate::compiler::machine::Row;
use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;
use crate::compiler::operators::arithmetic::integer::broadcast_shape;
use crate::compiler::quantize::contract::Saturation;

/// The longest sum of products that no accumulator can overflow with: 255·255 each.
const LONGEST_SUM: usize = (i32::MAX / (255 * 255)) as usize;

/// Multiplications that one node may need: 2⁴⁰, far more than real attention has.
const WORK_LIMIT: usize = 1 << 40;

/// `[…,M,K]` times `[…,K,N]` is `[…,M,N]`, leading axes broadcast; an error says what does not fit.
pub fn product_shape(left: &[usize], right: &[usize]) -> Result<Vec<usize>, String> {
    let wrong = || format!("{left:?} cannot be multiplied by {right:?}");
    let ([left_outer @ .., rows, length], [right_outer @ .., depth, columns]) = (left, right) else {
        return Err(wrong());
    };
    let mut shape = broadcast_shape(left_outer, right_outer).filter(|_| length == depth).ok_or_else(wrong)?;
    shape.extend([*rows, *columns]);
    let work = element_count(&shape).and_then(|count| count.checked_mul(*length));
    if work.is_none_or(|work| work > WORK_LIMIT) {
        return Err(format!("{left:?} by {right:?} is more than {WORK_LIMIT} multiplications"));
    }
    Ok(shape)
}

/// Refuses sums of so many products that an accumulator could leave int32.
pub fn check_sum(length: usize) -> Result<(), String> {
    if length <= LONGEST_SUM {
        return Ok(());
    }
    Err(format!("adds {length} products of two computed values; at most {LONGEST_SUM} fit an int32 accumulator"))
}

pub(crate) fn export_product(node: &ExportedNode<'_>, writer: &mut Writer) {
    writer.node("MatMul", node, &[], vec![]);
}

/// What a product needs besides its operands, prepared once for a network.
#[derive(Debug, Clone)]
pub struct IntegerProduct {
    /// Shapes of the operands and the output.
    pub shapes: [Vec<usize>; 3],
    /// Zero points of the operands.
    pub zero_points: [i8; 2],
    /// `f32(f32(s_a·s_b)/s_y)`.
    pub multiplier: f32,
    /// Zero point and bounds of the output.
    pub saturation: Saturation,
}

impl IntegerProduct {
    /// Operands and output have the sizes of [`IntegerProduct::shapes`].
    pub fn run(&self, left: &[i8], right: &[i8], output: &mut [i8]) {
        let [left_shape, right_shape, shape] = &self.shapes;
        let (outer, matrix) = shape.split_at(shape.len() - 2);
        let (rows, columns) = (matrix[0], matrix[1]);
        let length = left_shape[left_shape.len() - 1];
        let steps = [left_shape, right_shape].map(|shape| broadcast_strides(&shape[..shape.len() - 2], outer));
        let [left_zero, right_zero] = self.zero_points;
        let row = Row { bias: 0, multiplier: self.multiplier, saturation: self.saturation };
        let kept = vec![row; rows];
        let offsets: Vec<usize> = (0..length.next_multiple_of(4)).map(|k| k.min(length - 1) * columns).collect();
        let (mut panel, mut results) = (Panel::default(), Vec::new());
        let mut index = vec![0_usize; outer.len()];
        for to in output.chunks_exact_mut(rows * columns) {
            let start = |steps: &[usize]| index.iter().zip(steps).map(|(at, step)| at * step).sum::<usize>();
            let left = &left[start(&steps[0]) * rows * length..][..rows * length];
            let right = &right[start(&steps[1]) * columns * length..][..columns * length];
            let left = Left::new(Level::best(), left, length, right_zero, &kept);
            // Σ(l − z_l)·(r − z_r) is Σl·(r − z_r) less z_l·Σ(r − z_r).
            let mut sums = vec![0_i32; columns.next_multiple_of(COLUMNS)];
            for row in right.chunks_exact(columns) {
                for (sum, &q) in sums.iter_mut().zip(row) {
                    *sum -= i32::from(left_zero) * (i32::from(q) - i32::from(right_zero));
                }
            }
            for (base, sums) in (0..columns).step_by(COLUMNS).zip(sums.as_chunks().0) {
                panel.pack(Level::best(), right, offsets.as_chunks().0, base);
                panel.add(sums);
                left.multiply(&panel, &mut results);
                for (results, to) in results.iter().zip(to.chunks_exact_mut(columns)) {
                    to.iter_mut().skip(base).zip(results).for_each(|(to, &result)| *to = result);
                }
            }
            for axis in (0..outer.len()).rev() {
                index[axis] += 1;
                if index[axis] < outer[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_axes_broadcast() {
        assert_eq!(product_shape(&[2, 1, 3, 4], &[5, 4, 6]), Ok(vec![2, 5, 3, 6]));
        assert!(product_shape(&[2, 3, 4], &[3, 4, 6]).is_err());
        assert!(product_shape(&[3, 4], &[5, 6]).is_err());
        assert!(product_shape(&[4], &[4, 6]).is_err());
        assert!(product_shape(&[1 << 20, 1 << 20], &[1 << 20, 1 << 20]).is_err());
    }

    #[test]
    fn every_element_is_a_sum_of_products() {
        let product = IntegerProduct {
            shapes: [vec![2, 1, 2, 3], vec![2, 3, 2], vec![2, 2, 2, 2]],
            zero_points: [1, -2],
            multiplier: 0.5,
            saturation: Saturation::full(3),
        };
        let left: Vec<i8> = (0..12).collect();
        let right: Vec<i8> = (0..12).map(|q| q - 6).collect();
        let mut found = [0; 16];
        product.run(&left, &right, &mut found);
        let mut expected = Vec::new();
        for (a, b, row, column) in (0..16).map(|at| (at / 8, at / 4 % 2, at / 2 % 2, at % 2)) {
            let terms = (0..3).map(|k| {
                let (x, y) = (left[a * 6 + row * 3 + k], right[b * 6 + k * 2 + column]);
                (i32::from(x) - 1) * (i32::from(y) + 2)
            });
            expected.push(Saturation::full(3).requantize(terms.sum(), 0.5));
        }
        assert_eq!(found[..], expected);
    }
}
