//! Arithmetic beside tables: what is a function of one tensor alone is one table of it, whatever nodes computed it
//! (`x·sigmoid(x)`, a scale before a function).

use crate::compiler::legalize::rewrite::Edit;
use crate::compiler::legalize::rewrite::NewNode;
use crate::compiler::legalize::rewrite::Operand;
use crate::compiler::legalize::rewrite::Rewrite;
use crate::compiler::legalize::rewrite::View;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Function;
use crate::compiler::operators::arithmetic::integer::IntegerArithmetic;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedOperator;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::contract::place;

/// Arithmetic on a tensor and tables of it, or on a tensor and one number before a table, becomes a table: the node's own
/// arithmetic on each of the 256 values. The table bears the name of the function that it contains.
pub(super) struct ArithmeticIntoTable;

/// An operand as a function of one tensor.
enum Part<'a> {
    /// The tensor itself.
    Itself(TensorId),
    /// A table of the tensor.
    Table(TensorId, Function, &'a [i8]),
    /// The same number everywhere.
    Number(i8),
}

impl Part<'_> {
    const fn source(&self) -> Option<TensorId> {
        match self {
            Self::Itself(id) | Self::Table(id, ..) => Some(*id),
            Self::Number(_) => None,
        }
    }

    /// What it is where the tensor is `q`.
    fn at(&self, q: i8) -> Option<i8> {
        match self {
            Self::Itself(_) => Some(q),
            Self::Table(_, _, table) => table.get(place(q)).copied(),
            Self::Number(number) => Some(*number),
        }
    }
}

/// The node's operands as functions of one tensor, which they must agree on.
fn parts<'a>(view: &View<'a>, node: &QuantizedNode, through_tables: bool) -> Option<([Part<'a>; 2], TensorId)> {
    let part = |id: TensorId| {
        if let Some(constant) = &view.value(id).constant {
            let [number] = constant.as_slice() else { return None };
            return Some(Part::Number(*number));
        }
        let table = view.only_for_reader(id).filter(|_| through_tables);
        Some(match table.map(|node| (&node.operator, node.inputs.first())) {
            Some((QuantizedOperator::Function { function, table }, Some(&from))) => Part::Table(from, *function, table),
            _ => Part::Itself(id),
        })
    };
    let &[left, right] = node.inputs.as_slice() else { return None };
    let parts = [part(left)?, part(right)?];
    let mut sources = parts.iter().filter_map(Part::source);
    let source = sources.next()?;
    let alike = view.value(source).shape == view.value(node.output).shape && view.value(source).channels.is_empty();
    (alike && sources.all(|other| other == source)).then_some((parts, source))
}

/// What an arithmetic node makes of its tensor's 256 values.
fn table(view: &View<'_>, node: &QuantizedNode, parts: &[Part<'_>; 2]) -> Option<Vec<i8>> {
    let QuantizedOperator::Arithmetic(arithmetic) = node.operator else { return None };
    let make = match arithmetic {
        Arithmetic::Add => IntegerArithmetic::add,
        Arithmetic::Subtract => IntegerArithmetic::subtract,
        Arithmetic::Multiply => IntegerArithmetic::multiply,
        Arithmetic::Divide => IntegerArithmetic::divide,
    };
    let &[left, right] = node.inputs.as_slice() else { return None };
    let encoding = |id: TensorId| view.value(id).encoding;
    let kernel = make(encoding(left), encoding(right), encoding(node.output), node.clamp);
    (i8::MIN..=i8::MAX).map(|q| Some(kernel.element(parts[0].at(q)?, parts[1].at(q)?))).collect()
}

impl Rewrite for ArithmeticIntoTable {
    fn name(&self) -> &'static str {
        "arithmetic-into-table"
    }

    fn propose(&self, view: &View<'_>, root: usize) -> Option<Edit> {
        let node = view.node(root);
        let (function, table, source) = match &node.operator {
            QuantizedOperator::Arithmetic(_) => {
                let (parts, source) = parts(view, node, true)?;
                let function = parts.iter().find_map(|part| match part {
                    Part::Table(_, function, _) => Some(*function),
                    Part::Itself(_) | Part::Number(_) => None,
                })?;
                (function, table(view, node, &parts)?, source)
            }
            QuantizedOperator::Function { function, table: second } => {
                let before = view.only_for_reader(*node.inputs.first()?)?;
                let (parts, source) = parts(view, before, false)?;
                let first = table(view, before, &parts)?;
                let both = first.iter().map(|&q| second.get(place(q)).copied()).collect::<Option<_>>()?;
                (*function, both, source)
            }
            _ => return None,
        };
        let operator = QuantizedOperator::Function { function, table };
        Some(Edit::Replace(vec![NewNode::plain(operator, vec![Operand::Value(source)], view.form(node.output))]))
    }
}
