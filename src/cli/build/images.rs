//! What the quantizer found odd, about the images with the names that users know.

use std::path::Path;

use crate::diag::Diagnostic;
use crate::diag::catalogue;
use crate::exec::StepSummary;
use crate::plan::Graph;
use crate::plan::Input;
use crate::plan::StepKind;
use crate::plan::StepWork;
use crate::report;

/// Warnings from the reports of the models that `steps` quantized, in the order of the steps.
pub(super) fn image_warnings<'a>(
    steps: impl Iterator<Item = &'a StepSummary>,
    graph: &Graph<StepWork>,
    build_root: &Path,
    shown: &dyn Fn(&Path) -> String,
) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for (network, model) in steps.filter_map(|step| Some((step.network.as_str(), step.model.as_deref()?))) {
        let planned = graph.steps().iter().find(|step| {
            step.kind == StepKind::Quantize && step.network == network && step.model.as_deref() == Some(model)
        });
        let Some(planned) = planned else { continue };
        let name = |role: &String| {
            let file = planned.inputs.iter().find_map(|(name, input)| match input {
                Input::File(path) if name == role => Some(shown(path)),
                _ => None,
            });
            file.unwrap_or_else(|| role.clone())
        };
        for finding in report::read_findings(build_root, network, model) {
            let Some(entry) = catalogue::find(&finding.code) else { continue };
            let message = finding.told(finding.images.iter().map(name));
            warnings.push(Diagnostic::warning(entry.code, message).network(network).model(model));
        }
        for message in report::read_lost(&build_root.join(network).join(model).join("quantized/report.json")) {
            warnings.push(Diagnostic::warning("build/lost-layer", message).network(network).model(model));
        }
    }
    warnings
}
