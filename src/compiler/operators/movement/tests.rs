//! What becomes of ONNX operators that reshape and cut.

use crate::compiler::onnx::sample::Case;
use crate::compiler::onnx::sample::check;

#[test]
fn shapes_are_read_at_every_opset() {
    check(&[
        Case("Reshape-7", "x[2,3,4] i[0,-1]", "", Ok("[2, 12] = reshape (%0)")),
        Case("Reshape-14", "x[2,3,4] i[4,6]", "allowzero=1", Ok("[4, 6] = reshape (%0)")),
        Case("Flatten-7", "x[2,3,4]", "", Ok("[2, 12] = reshape")),
        Case("Flatten-9", "x[2,3,4]", "axis=0", Ok("[1, 24] = reshape")),
        Case("Flatten-11", "x[2,3,4]", "axis=-1", Ok("[6, 4] = reshape")),
        Case("Squeeze-11", "x[1,3,1]", "axes=[-1]", Ok("[1, 3] = reshape")),
        Case("Squeeze-13", "x[1,3,1] i[0]", "", Ok("[3, 1] = reshape")),
        Case("Squeeze-13", "x[1,3,1]", "", Ok("[3] = reshape")),
        Case("Unsqueeze-11", "x[2,3,4]", "axes=[0,4]", Ok("[1, 2, 3, 4, 1] = reshape")),
        Case("Unsqueeze-13", "x[2,3,4] i[-1]", "", Ok("[2, 3, 4, 1] = reshape")),
        Case("Expand-13", "x[2,3,4] i[1,3,1]", "", Ok("[2, 3, 4]")),
        Case("Reshape-13", "x[2,3,4] i[5,-1]", "", Err("not a whole dimension")),
        Case("Reshape-13", "x[2,3,4] x[2,3,4]", "", Err("its `shape` is computed at run time")),
        Case("Reshape-13", "x[2,3,4] f[24.0]", "", Err("its `shape` has floats")),
        Case("Squeeze-13", "x[2,3,4] i[0]", "", Err("the axis 0 of [2, 3, 4] is not 1")),
        Case("Unsqueeze-13", "x[2,3,4]", "", Err("`axes` is missing")),
        Case("Expand-13", "x[1,3] i[5,3]", "", Err("repeating a computed tensor is not supported")),
    ]);
}

#[test]
fn parts_are_read_at_every_opset() {
    check(&[
        Case(
            "Slice-9",
            "x[2,3,4]",
            "starts=[1] ends=[1000] axes=[2]",
            Ok("[2, 3, 3] = slice axes=[2] starts=[1] ends=[4] steps=[1]"),
        ),
        Case(
            "Slice-10",
            "x[2,3,4] i[0,2] i[2,-5] i[0,1] i[1,-2]",
            "",
            Ok("[2, 2, 4] = slice axes=[0, 1] starts=[0, 2] ends=[2, -1] steps=[1, -2]"),
        ),
        Case(
            "Crop-7",
            "x[1,2,5,6]",
            "border=[1,2,3,0]",
            Ok("[1, 2, 3, 2] = slice axes=[2, 3] starts=[2, 1] ends=[5, 3] steps=[1, 1]"),
        ),
        Case("Crop-7", "x[1,2,5,6]", "border=[1,2,9,9] scale=[2,5]", Ok("starts=[2, 1] ends=[4, 6]")),
        Case("Crop-7", "x[1,2,5,6]", "border=[3,2,3,0]", Err("expected a part of 5×6 elements")),
        Case("Crop-11", "x[1,2,5,6]", "border=[1,1,1,1]", Err("it was taken back at opset 10")),
        Case("Slice-13", "x[2,3,4] i[1] i[1]", "", Err("is empty or outside")),
        Case("Slice-13", "x[2,3,4] i[0] i[1] i[0] i[0]", "", Err("a step is 0")),
        Case("Slice-13", "x[2,3,4] i[0] i[1,2]", "", Err("differ in length")),
        Case("Split-11", "x[2,3,4]", "axis=1 split=[3]", Ok("[2, 3, 4] = slice axes=[1]")),
        Case("Split-11", "x[2,3,4]", "axis=1 split=[2]", Err("the parts [2] are not the 1 outputs of an axis of 3")),
        Case("Gather-13", "x[2,3,4] i-1", "axis=1", Ok("[2, 4] = reshape (%1)")),
        Case("Gather-13", "x[2,3,4] i[2,1]", "axis=1", Ok("[2, 2, 4] = slice axes=[1] starts=[2] ends=[0] steps=[-1]")),
        Case("Gather-13", "x[2,3,4] i[0,2,1]", "axis=1", Err("its indices are not evenly spaced")),
        Case("Gather-13", "x[2,3,4] i3", "axis=1", Err("the index 3 is outside an axis of 3")),
    ]);
}
