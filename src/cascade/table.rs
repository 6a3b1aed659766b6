//! A budget as a table and as JSON.

use std::fmt::Write;

use serde_json::Value as Json;
use serde_json::json;

use crate::diag::printable;

use super::budget::Budget;

/// The budget as a table with both sums under it, ending in a newline.
#[must_use]
pub fn render(budget: &Budget) -> String {
    let head = ["model", "cores", "instances", "on cores", "resources", "in all"].map(str::to_owned);
    let mut rows = vec![head];
    for model in &budget.models {
        rows.push(if model.cores == 0 {
            [printable(&model.name), "-".into(), "-".into(), "-".into(), "-".into(), "-".into()]
        } else {
            [
                printable(&model.name),
                model.cores.to_string(),
                if model.instances == 0 { "?".to_owned() } else { model.instances.to_string() },
                model.execution_cores.to_string(),
                model.resources.to_string(),
                model.total_resources().to_string(),
            ]
        });
    }
    let widths: Vec<usize> =
        (0..6).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let verdict = if budget.ok { "fits" } else { "does not fit" };
    let mut text = format!("{}: {verdict}\n", printable(&budget.network));
    for row in &rows {
        let mut line = String::from(" ");
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let _ = if column == 0 { write!(line, " {cell:width$}") } else { write!(line, "  {cell:>width$}") };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(text, "  {}", budget.arithmetic());
    text
}

/// The object of SPEC 10: `{"networks":[{"network","ok","device_cores","models":[{"model","cores","execution_cores",
/// "instances","resources"}],"total_cores","total_resources"}]}`; shares are numbers.
#[must_use]
pub fn to_json(budgets: &[Budget]) -> Json {
    let network = |budget: &Budget| {
        let model = |model: &super::budget::ModelBudget| {
            json!({
                "model": model.name,
                "cores": model.cores,
                "execution_cores": model.execution_cores,
                "instances": model.instances,
                "resources": model.resources.decimal(),
            })
        };
        json!({
            "network": budget.network,
            "ok": budget.ok,
            "device_cores": budget.device_cores,
            "models": budget.models.iter().map(model).collect::<Vec<_>>(),
            "total_cores": budget.total_cores,
            "total_resources": budget.total_resources.decimal(),
        })
    };
    json!({ "networks": budgets.iter().map(network).collect::<Vec<_>>() })
}
