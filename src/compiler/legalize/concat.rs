//! Concatenation of channels without a concatenation.

use crate::compiler::device::WORD;
use crate::compiler::legalize::rewrite::Edit;
use crate::compiler::legalize::rewrite::NewNode;
use crate::compiler::legalize::rewrite::Operand;
use crate::compiler::legalize::rewrite::Rewrite;
use crate::compiler::legalize::rewrite::View;
use crate::compiler::operators::Arithmetic;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::contract::Encoding;
use crate::compiler::quantize::contract::Saturation;
use crate::compiler::quantize::contract::concat_table;
use crate::compiler::quantize::contract::terms;

/// A join of channels that do not begin at words becomes sums: each input is padded with its zero point to all the
/// channels, which shifts its own to their place, and the padded inputs are added one after another. What begins at words
/// stays a join: whole words are copied.
pub(super) struct ConcatToAddition;

/// Whether an operand, added to nothing, becomes what the join makes of it: each of its 256 values.
fn adds_exactly(from: Encoding, to: Encoding) -> bool {
    let table = concat_table(from, to).unwrap_or_else(|| std::array::from_fn(|place| (place as i32 - 128) as i8));
    let saturation = Saturation::full(to.zero_point);
    terms(from, to.scale).iter().zip(table).all(|(&term, expected)| saturation.apply(term + 0.0) == expected)
}

impl Rewrite for ConcatToAddition {
    fn name(&self) -> &'static str {
        "concat-to-addition"
    }

    fn propose(&self, view: &View<'_>, root: usize) -> Option<Edit> {
        let node = view.node(root);
        if node.operator != (QuantizedOperator::Concat { axis: 1 }) || node.inputs.len() < 2 {
            return None;
        }
        let (shape, to) = view.form(node.output);
        let &[_, total, _, _] = shape.as_slice() else { return None };
        let channels: Vec<usize> =
            node.inputs.iter().map(|&id| view.value(id).shape.get(1).copied()).collect::<Option<_>>()?;
        let (_, all_but_last) = channels.split_last()?;
        let exact = node.inputs.iter().all(|&id| adds_exactly(view.value(id).encoding, to)) && adds_exactly(to, to);
        if all_but_last.iter().all(|count| count.is_multiple_of(WORD)) || !exact {
            return None;
        }
        let mut nodes = Vec::with_capacity(2 * node.inputs.len());
        let mut sum: Option<Operand> = None;
        let mut begin = 0;
        for (&input, &count) in node.inputs.iter().zip(&channels) {
            let encoding = view.value(input).encoding;
            let pad = QuantizedOperator::Pad {
                before: vec![0, begin, 0, 0],
                after: vec![0, total - begin - count, 0, 0],
                value: encoding.zero_point,
            };
            nodes.push(NewNode::plain(pad, vec![Operand::Value(input)], (shape.clone(), encoding)));
            begin += count;
            let padded = Operand::New(nodes.len() - 1);
            if let Some(before) = sum {
                let add = QuantizedOperator::Arithmetic(Arithmetic::Add);
                nodes.push(NewNode::plain(add, vec![before, padded], (shape.clone(), to)));
            }
            sum = Some(Operand::New(nodes.len() - 1));
        }
        Some(Edit::Replace(nodes))
    }
}
