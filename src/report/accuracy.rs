//! What int8 costs, per model: read from the reports that quantize wrote.

use std::path::Path;

use serde_json::Value;

use super::table::{Align, table_within};
use crate::base::fs;
use crate::compiler::quantize::Evaluation;
use crate::compiler::quantize::QuantizationReport;
use crate::compiler::quantize::told_lost;
use crate::imaging::Audit;
use crate::imaging::Finding;

/// One model's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Accuracy {
    /// `network/model`.
    pub subject: String,
    /// Calibration and held-out images.
    pub images: (usize, usize),
    /// Whether calibration saw random data instead of images.
    pub random: bool,
    /// Share of held-out images that float and int8 get right, where classes are known.
    pub top1: Option<(f64, f64)>,
    /// Share of held-out images on which both name the same class, for classifiers.
    pub agreement: Option<f64>,
    /// Signal to quantization noise over all outputs, in dB.
    pub sqnr_db: Option<f64>,
}

/// Reads `<build>/<network>/<model>/quantized/report.json`; `None` when there is none or it is of another version.
#[must_use]
pub fn read_accuracy(build: &Path, network: &str, model: &str) -> Option<Accuracy> {
    let path = build.join(network).join(model).join("quantized/report.json");
    let subject = if network == model { network.to_owned() } else { format!("{network}/{model}") };
    read_accuracy_of(&path, &subject)
}

/// Reads the report that quantize wrote of one model.
#[must_use]
pub fn read_accuracy_of(report: &Path, subject: &str) -> Option<Accuracy> {
    let value: Value = serde_json::from_slice(&fs::read(report).ok()?).ok()?;
    let random = value["random_calibration"] == Value::Bool(true);
    let report: QuantizationReport = serde_json::from_value(value).ok()?;
    let evaluation = report.evaluation.as_ref();
    let classes = evaluation.and_then(|evaluation| evaluation.classification.as_ref());
    Some(Accuracy {
        subject: subject.to_owned(),
        random,
        images: (report.calibration_images, evaluation.map_or(0, |evaluation| evaluation.images)),
        top1: classes.and_then(|classes| classes.float_top1.zip(classes.int8_top1)),
        agreement: classes.map(|classes| classes.top1_agreement),
        sqnr_db: evaluation.and_then(|evaluation| evaluation.sqnr_db),
    })
}

/// What the quantizer found odd about a model's images; nothing where there is no report of this version.
#[must_use]
pub fn read_findings(build: &Path, network: &str, model: &str) -> Vec<Finding> {
    let path = build.join(network).join(model).join("quantized/report.json");
    let value: Option<Value> = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let audit = value.and_then(|value| serde_json::from_value::<Audit>(value["images"].clone()).ok());
    audit.map(|audit| audit.findings).unwrap_or_default()
}

/// What the report that quantize wrote says of layers of which next to nothing is left.
#[must_use]
pub fn read_lost(report: &Path) -> Vec<String> {
    let report: Option<QuantizationReport> =
        fs::read(report).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let evaluation = report.and_then(|report| report.evaluation);
    evaluation.iter().flat_map(Evaluation::lost).map(told_lost).collect()
}

/// A row a model: images (calibration + held out), top-1 of float and of int8, the share of images on which both name the
/// same class, and the SQNR.
#[must_use]
pub fn accuracy_table(rows: &[Accuracy]) -> String {
    accuracy_table_within(rows, None)
}

/// [`accuracy_table`] on a terminal of so many columns; `None` for a file or a pipe.
#[must_use]
pub fn accuracy_table_within(rows: &[Accuracy], columns: Option<usize>) -> String {
    let percent = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0));
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let (calibration, held_out) = row.images;
            let calibration = if row.random { "RANDOM DATA".to_owned() } else { calibration.to_string() };
            vec![
                row.subject.clone(),
                format!("{calibration} + {held_out}"),
                percent(row.top1.map(|(float, _)| float)),
                percent(row.top1.map(|(_, int8)| int8)),
                percent(row.agreement),
                row.sqnr_db.map_or_else(|| "-".to_owned(), |decibels| format!("{decibels:.1} dB")),
            ]
        })
        .collect();
    let head = [
        ("int8 against float", Align::Left),
        ("images", Align::Right),
        ("float top-1", Align::Right),
        ("int8 top-1", Align::Right),
        ("same", Align::Right),
        ("SQNR", Align::Right),
    ];
    // The float network's own figure and the number of images are the card's business.
    table_within(&head, &cells, columns, &[2, 1, 3])
}
