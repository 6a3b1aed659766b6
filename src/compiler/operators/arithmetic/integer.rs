//! Integer Add, Sub and Mul with ONNX broadcasting, and the float island Div.

use crate::compiler::graph::broadcast_strides;
use crate::compiler::machine::vectorized;
use crate::compiler::operators::movement::integer::collapsed;
use crate::compiler::quantize::contract::Encoding;
use crate::compiler::quantize::contract::Saturation;
use crate::compiler::quantize::contract::Terms;
use crate::compiler::quantize::contract::multiplier;
use crate::compiler::quantize::contract::place;
use crate::compiler::quantize::contract::term;
use crate::compiler::quantize::contract::terms;

/// What two operands become, element by element.
#[derive(Debug, Clone)]
pub enum IntegerArithmetic {
    /// sat(rne(Ta\[a\] + Tb\[b\]) + z): Add, and Sub with Tb negated.
    Sum {
        /// Of the first operand.
        left: Box<Terms>,
        /// Of the second operand.
        right: Box<Terms>,
        /// What the terms are made from, where it is faster to make them than to look them up.
        made_from: Addends,
        /// Zero point and bounds of the output.
        saturation: Saturation,
    },
    /// `(a − z_a)·(b − z_b)`, requantized once.
    Product {
        /// Zero points of both operands.
        zero_points: [i8; 2],
        /// `f32(f32(s_a·s_b)/s_y)`.
        multiplier: f32,
        /// Zero point and bounds of the output.
        saturation: Saturation,
    },
    /// a/b in f64 of the dequantized operands, quantized once: a float island.
    Quotient {
        /// Of both operands.
        operands: [Encoding; 2],
        /// Of the output.
        output: Encoding,
        /// Lowest and highest result.
        clamp: [i8; 2],
    },
}

/// The operands of a sum.
#[derive(Debug, Clone, Copy)]
pub struct Addends {
    operands: [Encoding; 2],
    /// Of the output.
    scale: f32,
    /// 1 or −1, by which the second term is multiplied: exact.
    sign: f32,
}

impl IntegerArithmetic {
    /// Add.
    #[must_use]
    pub fn add(left: Encoding, right: Encoding, output: Encoding, clamp: [i8; 2]) -> Self {
        Self::Sum {
            left: Box::new(terms(left, output.scale)),
            right: Box::new(terms(right, output.scale)),
            made_from: Addends { operands: [left, right], scale: output.scale, sign: 1.0 },
            saturation: Saturation::between(output.zero_point, clamp),
        }
    }

    /// Sub.
    #[must_use]
    pub fn subtract(left: Encoding, right: Encoding, output: Encoding, clamp: [i8; 2]) -> Self {
        Self::Sum {
            left: Box::new(terms(left, output.scale)),
            right: Box::new(terms(right, output.scale).map(|term| -term)),
            made_from: Addends { operands: [left, right], scale: output.scale, sign: -1.0 },
            saturation: Saturation::between(output.zero_point, clamp),
        }
    }

    /// Mul.
    #[must_use]
    pub fn multiply(left: Encoding, right: Encoding, output: Encoding, clamp: [i8; 2]) -> Self {
        Self::Product {
            zero_points: [left.zero_point, right.zero_point],
            multiplier: multiplier(left.scale, right.scale, output.scale),
            saturation: Saturation::between(output.zero_point, clamp),
        }
    }

    /// Div.
    #[must_use]
    pub const fn divide(left: Encoding, right: Encoding, output: Encoding, clamp: [i8; 2]) -> Self {
        Self::Quotient { operands: [left, right], output, clamp }
    }

    /// One element.
    #[inline]
    #[must_use]
    pub fn element(&self, left: i8, right: i8) -> i8 {
        match self {
            Self::Sum { left: left_terms, right: right_terms, saturation, .. } => {
                saturation.apply(left_terms[place(left)] + right_terms[place(right)])
            }
            Self::Product { zero_points: [left_zero, right_zero], multiplier, saturation } => {
                let left = i32::from(left) - i32::from(*left_zero);
                let right = i32::from(right) - i32::from(*right_zero);
                saturation.requantize(left * right, *multiplier)
            }
            Self::Quotient { operands, output, clamp: [low, high] } => {
                let quotient = operands[0].dequantize_wide(left) / operands[1].dequantize_wide(right);
                output.quantize_wide(quotient).clamp(*low, *high)
            }
        }
    }

    /// Operands of these shapes into an output of `shape`, to which both broadcast.
    pub fn run(&self, left: (&[i8], &[usize]), right: (&[i8], &[usize]), output: (&mut [i8], &[usize])) {
        let (to, shape) = output;
        if left.0.len() == to.len() && right.0.len() == to.len() {
            self.run_alike(left.0, right.0, to);
            return;
        }
        let steps = [left.1, right.1]
            .map(|own| -> Vec<isize> { broadcast_strides(own, shape).into_iter().map(|step| step as isize).collect() });
        let (sizes, steps) = collapsed(shape, [&steps[0], &steps[1]]);
        let Some((&inner, outer)) = sizes.split_last() else { return self.run_alike(left.0, right.0, to) };
        let last = [0, 1].map(|operand: usize| steps[operand].last().copied().unwrap_or(0) as usize);
        let mut index = vec![0_usize; outer.len()];
        let mut repeated = vec![0; inner];
        for row in to.chunks_exact_mut(inner) {
            let start =
                |steps: &[isize]| index.iter().zip(steps).map(|(index, &step)| index * step as usize).sum::<usize>();
            let (mut at_left, mut at_right) = (start(&steps[0]), start(&steps[1]));
            match last {
                [1, 1] => self.run_alike(&left.0[at_left..][..inner], &right.0[at_right..][..inner], row),
                [1, 0] => {
                    repeated.fill(right.0[at_right]);
                    self.run_alike(&left.0[at_left..][..inner], &repeated, row);
                }
                [0, 1] => {
                    repeated.fill(left.0[at_left]);
                    self.run_alike(&repeated, &right.0[at_right..][..inner], row);
                }
                _ => {
                    for to in row {
                        *to = self.element(left.0[at_left], right.0[at_right]);
                        at_left += last[0];
                        at_right += last[1];
                    }
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

impl IntegerArithmetic {
    /// Operands and output of the same elements. What an operation is, is asked once, so that loops become vector
    /// instructions.
    fn run_alike(&self, left: &[i8], right: &[i8], output: &mut [i8]) {
        let triples = output.iter_mut().zip(left.iter().zip(right));
        match self {
            Self::Product { zero_points, multiplier, saturation } => {
                let [left_zero, right_zero] = zero_points.map(i32::from);
                let (multiplier, saturation) = (*multiplier, *saturation);
                vectorized(|| {
                    triples.for_each(|(to, (&left, &right))| {
                        let product = (i32::from(left) - left_zero) * (i32::from(right) - right_zero);
                        *to = saturation.requantize(product, multiplier);
                    });
                });
            }
            Self::Sum { made_from: Addends { operands: [first, second], scale, sign }, saturation, .. } => {
                let (first, second, scale, sign, saturation) = (*first, *second, *scale, *sign, *saturation);
                vectorized(|| {
                    triples.for_each(|(to, (&x, &y))| {
                        *to = saturation.apply(term(x, first, scale) + sign * term(y, second, scale));
                    });
                });
            }
            Self::Quotient { .. } => triples.for_each(|(to, (&left, &right))| *to = self.element(left, right)),
        }
    }
}

/// The shape that two operands broadcast to (ONNX multidirectional broadcasting); `None` where they do not.
#[must_use]
pub fn broadcast_shape(left: &[usize], right: &[usize]) -> Option<Vec<usize>> {
    let rank = left.len().max(right.len());
    let size = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    (0..rank)
        .map(|axis| match (size(left, axis), size(right, axis)) {
            (left, right) if left == right || right == 1 => Some(left),
            (1, right) => Some(right),
            _ => None,
        })
        .collect()
}
