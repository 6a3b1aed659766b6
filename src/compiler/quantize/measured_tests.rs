//! What the report says of networks that are easily measured wrongly.

use crate::base::CancelToken;
use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Scheme;
use crate::compiler::calibrate::Watch;
use crate::compiler::error::StageError;
use crate::compiler::graph::ValueId;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Function;
use crate::compiler::operators::Operator;
use crate::compiler::quantize::Evaluation;
use crate::compiler::quantize::QuantizeOptions;
use crate::compiler::quantize::Quantized;
use crate::compiler::quantize::names_classes;
use crate::compiler::quantize::quantize;
use crate::compiler::quantize::tests::Noise;
use crate::compiler::quantize::tests::Sketch;

/// As many images of one number, each of so many elements.
struct Constant(usize, f32, usize);

impl Samples for Constant {
    fn len(&self) -> usize {
        self.0
    }

    fn load(&self, index: usize) -> Result<Vec<Vec<f32>>, String> {
        Ok(vec![vec![self.1 * (index + 1) as f32; self.2]])
    }

    fn label(&self, _: usize) -> Option<usize> {
        None
    }
}

fn run(sketch: &Sketch, scheme: Scheme, samples: [&dyn Samples; 2]) -> Result<Quantized, StageError> {
    let options = QuantizeOptions { scheme, depthwise_channels: false, class_count: Some(4), threads: 2 };
    let watch = Watch { cancel: &CancelToken::new(), progress: &|_, _, _| () };
    quantize(&sketch.0, samples[0], samples[1], &options, &watch)
}

fn measured(sketch: &Sketch, scheme: Scheme) -> Evaluation {
    let images = |count| Noise { count, elements: 3 * 9 * 8 };
    let quantized = run(sketch, scheme, [&images(12), &images(5)]).expect("quantized");
    quantized.report.evaluation.expect("measured")
}

#[test]
fn an_output_that_a_depthwise_convolution_reads_is_measured_once() {
    let mut sketch = Sketch::new(&[1, 3, 9, 8]);
    let a = sketch.convolution(ValueId(0), "a", [1, 6, 9, 8], 3, 1);
    let a = sketch.node(Operator::Function(Function::Relu), &[a], "a_relu", &[1, 6, 9, 8]);
    let b = sketch.convolution(a, "b", [1, 6, 9, 8], 3, 6);
    sketch.0.outputs.extend([a, b]);
    let plain = measured(&sketch, Scheme::PerTensorMinMax);
    let hybrid = measured(&sketch, Scheme::HybridPerTensorPerChannel);
    for (plain, hybrid) in plain.outputs.iter().zip(&hybrid.outputs) {
        let figures = [plain.sqnr_db.zip(hybrid.sqnr_db), plain.centred_sqnr_db.zip(hybrid.centred_sqnr_db)];
        for (plain, hybrid) in figures.map(|figures| figures.expect("measured")) {
            assert!((plain - hybrid).abs() < 5.0, "{plain} dB by tensor, {hybrid} dB by channel");
        }
    }
}

#[test]
fn float_that_is_no_number_on_evaluation_images_is_refused() {
    let mut sketch = Sketch::new(&[1, 1, 2, 2]);
    let x = ValueId(0);
    let relu = sketch.node(Operator::Function(Function::Relu), &[x], "relu", &[1, 1, 2, 2]);
    let y = sketch.node(Operator::Arithmetic(Arithmetic::Divide), &[x, relu], "y", &[1, 1, 2, 2]);
    sketch.0.outputs.push(y);
    let images = |of| Constant(6, of, 4);
    assert!(run(&sketch, Scheme::PerTensorMinMax, [&images(1.0), &images(2.0)]).is_ok());
    let error = run(&sketch, Scheme::PerTensorMinMax, [&images(1.0), &images(0.0)]).expect_err("0/0");
    assert!(error.to_string().contains("`y` becomes infinite or not a number in float on the evaluation"), "{error}");
}

#[test]
fn a_layer_of_which_nothing_is_left_is_told_though_the_whole_is_good() {
    let mut sketch = Sketch::new(&[1, 3, 9, 8]);
    let x = ValueId(0);
    let boxes = sketch.convolution(x, "boxes", [1, 4, 9, 8], 3, 1);
    let far = sketch.constant("far", &[], vec![500.0]);
    let boxes = sketch.node(Operator::Arithmetic(Arithmetic::Add), &[boxes, far], "far_boxes", &[1, 4, 9, 8]);
    let scores = sketch.convolution(x, "scores", [1, 2, 9, 8], 3, 1);
    let scores = sketch.node(Operator::Function(Function::Sigmoid), &[scores], "sigmoid", &[1, 2, 9, 8]);
    let joined = sketch.node(Operator::Concat { axis: 1 }, &[boxes, scores], "joined", &[1, 6, 9, 8]);
    sketch.0.outputs.push(joined);
    let evaluation = measured(&sketch, Scheme::PerTensorMinMax);
    assert!(evaluation.sqnr_db > Some(40.0), "{:?}", evaluation.sqnr_db);
    assert_eq!(evaluation.lost().map(|layer| layer.name.as_str()).collect::<Vec<_>>(), ["sigmoid"]);
    let alone = measured(&sketched_alone(), Scheme::PerTensorMinMax);
    assert_eq!(alone.lost().count(), 0);
}

fn sketched_alone() -> Sketch {
    let mut sketch = Sketch::new(&[1, 3, 9, 8]);
    let scores = sketch.convolution(ValueId(0), "scores", [1, 2, 9, 8], 3, 1);
    let scores = sketch.node(Operator::Function(Function::Sigmoid), &[scores], "sigmoid", &[1, 2, 9, 8]);
    sketch.0.outputs.push(scores);
    sketch
}

#[test]
fn classes_lie_on_one_axis() {
    let cases: [(&[usize], usize, bool); 6] = [
        (&[1, 10], 10, true),
        (&[1, 10, 1, 1], 10, true),
        (&[10], 10, true),
        (&[1, 1, 2, 5], 10, false),
        (&[1, 10, 10, 10], 1000, false),
        (&[1, 1], 1, false),
    ];
    for (shape, classes, expected) in cases {
        assert_eq!(names_classes(shape, classes), expected, "{shape:?} {classes}");
    }
}
